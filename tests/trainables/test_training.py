import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainables.checkpoint import newest_checkpoint, read_history
from trainables.config import DataConfig, TrialConfig
from trainables.data import ImageDataset, load_dataset
from trainables.measurement import DivergenceError, Measurement
from trainables.training import Trainer, held_out_score

PRIORS = {
    "gaussian": {"kind": "gaussian"},
    "flow": {"kind": "flow", "hidden_size": 16, "num_layers": 1},
    "diffusion": {
        "kind": "diffusion",
        "hidden_size": 16,
        "beta_schedule": {"kind": "cosine", "num_steps": 8},
    },
}


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits", "num_images": 600}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def config(prior: str, **fields: object) -> TrialConfig:
    values = {
        "data": {"dataset": "digits", "num_images": 600},
        "latent_size": 4,
        "prior": PRIORS[prior],
        "network": {"num_channels": 8},
        "optimizer": {"learning_rate": 2e-3, "batch_size": 64},
        "fid": {"num_samples": 100, "classifier_epochs": 2},
        "max_epochs": 4,
        "rungs": [2],
        "seed": 5,
    }
    return TrialConfig.model_validate({**values, **fields})


def numbers(history: list[Measurement]) -> list[Measurement]:
    return [replace(measurement, seconds=0.0) for measurement in history]


def run(trainer: Trainer, until: int = 4) -> Trainer:
    while trainer.epoch < until:
        trainer.fit_epoch()
    return trainer


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("break_at", [1, 2, 3])
def test_a_trial_that_was_interrupted_gives_the_same_numbers_to_the_bit(
    prior: str, break_at: int, dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    whole = run(Trainer(config(prior), dataset, cache))
    run(Trainer(config(prior), dataset, cache), break_at).save(tmp_path / "checkpoint")
    torch.rand(7)  # the surrounding program has moved on
    resumed = run(Trainer.load(tmp_path / "checkpoint", dataset, cache))
    assert numbers(resumed.history) == numbers(whole.history)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    assert resumed.evaluate_fid("test") == whole.evaluate_fid("test")


def test_training_leaves_the_random_numbers_of_the_surrounding_program_alone(
    dataset: ImageDataset, cache: Path
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(Trainer(config("diffusion"), dataset, cache), 2)
    assert torch.equal(torch.rand(4), expected)


def test_a_fid_is_measured_at_rungs_and_at_the_end_only(
    dataset: ImageDataset, cache: Path
) -> None:
    history = run(Trainer(config("gaussian"), dataset, cache)).history
    assert [m.epoch for m in history if m.val_fid is not None] == [2, 4]


def test_the_fid_is_that_of_the_weights_with_the_best_validation_elbo(
    dataset: ImageDataset, cache: Path
) -> None:
    trainer = run(Trainer(config("gaussian"), dataset, cache))
    best = max(trainer.history, key=lambda m: m.elbo)
    assert trainer.history[-1].best_epoch == best.epoch
    trainer.model.load_state_dict(trainer.best_weights)
    rate, distortion = trainer.validate()
    assert -(rate + distortion) == best.elbo


def test_the_elbo_rises_with_training(dataset: ImageDataset, cache: Path) -> None:
    history = run(Trainer(config("gaussian", max_epochs=12, rungs=[]), dataset, cache), 12).history
    assert history[-1].elbo > history[0].elbo + 5


def test_bits_per_dimension_follow_from_the_bound(dataset: ImageDataset, cache: Path) -> None:
    measurement = run(Trainer(config("gaussian"), dataset, cache), 1).history[0]
    # The density of x = 2(k + u)/17 - 1 is that of (k + u) times 17/2, in each of 64 dimensions.
    expected = -measurement.elbo / 64 / math.log(2) + math.log2(17 / 2)
    assert measurement.bits_per_dim == pytest.approx(expected)


def test_seeds_differ_and_repeat(dataset: ImageDataset, cache: Path) -> None:
    elbos = [
        run(Trainer(config("flow", seed=seed), dataset, cache), 1).history[0].elbo
        for seed in (0, 1, 0)
    ]
    assert elbos[0] == elbos[2] != elbos[1]


def test_a_diverging_trial_raises_instead_of_measuring(dataset: ImageDataset, cache: Path) -> None:
    optimizer = {"learning_rate": 1e12, "batch_size": 64}
    with pytest.raises(DivergenceError, match="epoch"):
        run(Trainer(config("gaussian", optimizer=optimizer), dataset, cache))


def test_a_checkpoint_is_found_with_its_history_and_samples(
    dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    trainer = run(Trainer(config("gaussian"), dataset, cache))
    trainer.save(tmp_path / "1" / "epoch-000004")
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found.epoch == 4
    assert read_history(found.folder) == trainer.history
    assert (found.folder / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_the_look_at_the_test_split_beats_the_untrained_model(
    dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    trainer = run(Trainer(config("gaussian", max_epochs=12, rungs=[]), dataset, cache), 12)
    trainer.save(tmp_path / "checkpoint")
    score = held_out_score(tmp_path / "checkpoint", dataset, cache)
    assert score.test_fid == trainer.evaluate_fid("test")
    assert score.test_fid < score.untrained_fid
    assert score.protocol["reference"] == "test"


def test_training_never_sees_validation_or_test_images(dataset: ImageDataset, cache: Path) -> None:
    other = replace(
        dataset, test=dataset.test[::-1].copy(), validation=dataset.validation[::-1].copy()
    )
    one = run(Trainer(config("gaussian", rungs=[]), dataset, cache), 2)
    two = run(Trainer(config("gaussian", rungs=[]), other, cache), 2)
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, two.model.state_dict()[name])
