import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainables.checkpoint import newest_checkpoint, read_history
from trainables.config import DataConfig, TrialConfig
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.level import x_from_levels
from trainables.measurement import DivergenceError, Measurement
from trainables.training.test_score import held_out_score
from trainables.training.trainer import Trainer

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


class BrokenOffError(Exception):
    """Nothing of the trainer is left but what it has saved."""


def break_within(trainer: Trainer, epoch: int, step: int, path: Path) -> None:
    """Saves after so many batches of an epoch, and ends there."""

    def save_then_break() -> None:
        assert trainer.image_pass is not None
        if trainer.image_pass.step == step:
            trainer.save(path)
            raise BrokenOffError

    run(trainer, epoch - 1)
    with pytest.raises(BrokenOffError):
        trainer.fit_epoch(save_then_break)


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


SHORT_CHAIN = {"kind": "linear", "num_steps": 30}
OPTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "published-gaussian": ("gaussian", {"objective": "published"}),
    "published-flow": ("flow", {"objective": "published"}),
    "published-diffusion": (
        "diffusion", {"objective": "published", "prior.beta_schedule": SHORT_CHAIN},
    ),
    "diagonal": ("gaussian", {"likelihood": {"kind": "diagonal"}}),
    "fixed-scale": ("flow", {"likelihood": {"scale": 0.3}}),
    "levels-as-they-are": (
        "gaussian", {"likelihood": {"scale": 0.3}, "data.dequantise": False},
    ),
    "flipped": ("flow", {"data.flip": True}),
    "annealed": ("gaussian", {"kl_annealing": {"kind": "cyclical", "num_cycles": 2}}),
    "beta-vae": ("flow", {"kl_annealing": {"kind": "linear", "final_weight": 4.0}}),
    "free-bits": ("gaussian", {"kl_annealing": {"kind": "sigmoid", "free_bits": 0.1}}),
    "free-bits-of-the-total": ("flow", {"kl_annealing": {"free_bits": 0.5}}),
    "ema": ("diffusion", {"optimizer.ema_decay": 0.9}),
    "cosine": ("gaussian", {"optimizer.schedule": {"kind": "cosine"}}),
    "plateau": (
        "gaussian", {"optimizer.schedule": {"kind": "plateau", "patience": 0, "threshold": 0.9}},
    ),
    "clipped": ("flow", {"optimizer.gradient_clip": 1.0}),
    "simple": ("diffusion", {"prior.weighting": "simple"}),
    "analytic": ("diffusion", {"prior.variance": "analytic", "optimizer.ema_decay": 0.9}),
    "learned": ("diffusion", {"prior.variance": "learned"}),
    "learned-simple": ("diffusion", {"prior.variance": "learned", "prior.weighting": "simple"}),
    "posterior": ("diffusion", {"prior.variance": "posterior", "prior.times": "uniform"}),
    "v": ("diffusion", {"prior.prediction": "v", "prior.times": "stratified"}),
    "x0": ("diffusion", {"prior.prediction": "x0", "prior.network": "residual"}),
    "quadratic": (
        "diffusion",
        {
            "prior.beta_schedule": {"kind": "quadratic", "num_steps": 30},
            "prior.sampler": {"kind": "ddim", "num_steps": 5, "eta": 0.5},
        },
    ),
    "sigmoid": (
        "diffusion",
        {"prior.beta_schedule": {"kind": "sigmoid", "num_steps": 30, "rescale": False}},
    ),
    "latent-widths": ("gaussian", {"network": {"latent_widths": True}}),
}  # fmt: skip


def option(name: str) -> TrialConfig:
    prior, overrides = OPTIONS[name]
    values = config(prior, max_epochs=3, rungs=[1]).model_dump()
    for path, value in overrides.items():
        *parents, field = path.split(".")
        group = values
        for parent in parents:
            group = group[parent]
        group[field] = value
    if values["objective"] == "published":
        values["departures"] = {}
    return TrialConfig.model_validate(values)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_goes_on_after_a_break_to_the_bit(
    name: str, dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    whole = run(Trainer(option(name), dataset, cache), 3)
    run(Trainer(option(name), dataset, cache), 2).save(tmp_path / "checkpoint")
    break_within(Trainer(option(name), dataset, cache), 2, 3, tmp_path / "within")
    for place in ("checkpoint", "within"):
        torch.rand(7)  # the surrounding program has moved on
        resumed = run(Trainer.load(tmp_path / place, dataset, cache), 3)
        assert numbers(resumed.history) == numbers(whole.history)
        for key, weight in whole.best_weights.items():
            assert torch.equal(weight, resumed.best_weights[key]), key
    assert resumed.evaluate_fid("test") == whole.evaluate_fid("test")


BACKBONES: dict[str, dict[str, object]] = {
    "plain": {"num_channels": 4},
    "dcgan": {"num_channels": 4},
    "resnet": {"num_channels": 4},
    "reference": {},
}


@pytest.mark.parametrize("kind", BACKBONES)
def test_every_backbone_goes_on_after_a_break_to_the_bit(
    kind: str, cache: Path, tmp_path: Path
) -> None:
    # Fewer would be fewer than 20 of a class, of which no classifier is trained.
    data = {"dataset": "digits", "num_images": 500, "resize": 32}
    network = {"kind": kind, **BACKBONES[kind]}
    trial = config("gaussian", data=data, network=network, max_epochs=2, rungs=[])
    images = load_dataset(trial.data)
    fid = {"num_samples": 40, "classifier_epochs": 10}
    trial = trial.model_copy(update={"fid": trial.fid.model_copy(update=fid)})
    whole = run(Trainer(trial, images, cache), 2)
    run(Trainer(trial, images, cache), 1).save(tmp_path / "checkpoint")
    break_within(Trainer(trial, images, cache), 2, 1, tmp_path / "within")
    for place in ("checkpoint", "within"):
        resumed = run(Trainer.load(tmp_path / place, images, cache), 2)
        assert numbers(resumed.history) == numbers(whole.history)


def test_an_option_makes_a_difference(dataset: ImageDataset, cache: Path) -> None:
    """Each of them: or it would be accepted and ignored."""
    histories = {}
    for name in OPTIONS:
        last = run(Trainer(option(name), dataset, cache), 3).history[-1]
        base = run(Trainer(base_of(name), dataset, cache), 3).history[-1]
        histories[name] = (last.rate, last.distortion, last.val_fid) != (
            base.rate, base.distortion, base.val_fid,
        )  # fmt: skip
    assert [name for name, differs in histories.items() if not differs] == []


def base_of(name: str) -> TrialConfig:
    return config(OPTIONS[name][0], max_epochs=3, rungs=[1])


@pytest.mark.parametrize("prior", ["gaussian", "flow", "diffusion"])
def test_without_a_bound_no_bound_is_told(prior: str, dataset: ImageDataset, cache: Path) -> None:
    trainer = run(Trainer(option(f"published-{prior}"), dataset, cache), 2)
    assert all(m.elbo is None and m.bits_per_dim is None for m in trainer.history)
    assert trainer.best_epoch == min(trainer.history, key=lambda m: m.loss).epoch


def test_the_average_of_the_weights_is_what_is_evaluated(
    dataset: ImageDataset, cache: Path
) -> None:
    trainer = run(Trainer(option("ema"), dataset, cache), 1)
    weights = trainer.model.state_dict()
    assert any(not torch.equal(weights[key], v) for key, v in trainer.best_weights.items())


def test_every_evaluation_tells_errors_parts_and_collapse(
    dataset: ImageDataset, cache: Path
) -> None:
    history = run(Trainer(config("diffusion"), dataset, cache), 2).history
    assert [m.collapse is not None for m in history] == [False, True]
    for m in history:
        assert set(m.rate_parts) == {"entropy", "L_T", "L_t", "L_0"}
        assert math.fsum(m.rate_parts.values()) == pytest.approx(m.rate, rel=1e-4)
        assert m.rate_noise > 0
        assert m.standard_error > 0


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
    validation = trainer.validate()
    assert -(validation.rate + validation.distortion) == best.elbo


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
    assert max(score.reconstruction_fid, score.aggregate_fid) < score.test_fid
    assert 0 < score.fid_noise < score.test_fid / 4
    assert 0 <= score.recall <= 1
    assert 0 <= score.precision <= 1
    assert held_out_score(tmp_path / "checkpoint", dataset, cache) == score


def test_training_never_sees_validation_or_test_images(dataset: ImageDataset, cache: Path) -> None:
    other = replace(
        dataset, test=dataset.test[::-1].copy(), validation=dataset.validation[::-1].copy()
    )
    one = run(Trainer(config("gaussian", rungs=[]), dataset, cache), 2)
    two = run(Trainer(config("gaussian", rungs=[]), other, cache), 2)
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, two.model.state_dict()[name])


def test_averaged_weights_have_the_variance_of_their_own_errors(dataset: ImageDataset) -> None:
    """They took over the errors of the weights that they are the average of."""
    prior = PRIORS["diffusion"] | {"variance": "analytic"}
    optimizer = {"learning_rate": 2e-2, "batch_size": 64, "ema_decay": 0.99}
    values = config("diffusion", optimizer=optimizer, rungs=[]).model_dump() | {"prior": prior}
    trainer = Trainer(TrialConfig.model_validate(values), dataset)
    trainer.fit_epoch()
    raw, average = trainer.model.prior, trainer.optimization.evaluated_model.prior
    generator = torch.Generator().manual_seed(0)
    q = trainer.optimization.evaluated_model.posterior(
        x_from_levels(trainer.train_images, trainer.config.data, generator)
    )
    z, noise = q.sample(), torch.randn(8, *q.mean.shape, generator=generator)
    t = torch.arange(1, 9)[:, None].expand(noise.shape[:2])
    with torch.no_grad():
        predicted = average.process.predict(average.process.noised(z, t, noise), t).noise
    errors = (noise - predicted).square().mean((1, 2))
    known = average.process.variance.mean_squared_error[1:]
    torch.testing.assert_close(known, errors, rtol=0.1, atol=1e-3)
    others = raw.process.variance.mean_squared_error[1:]
    assert ((others - errors).abs() / errors).max() > 0.2
