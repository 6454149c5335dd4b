"""What the look at the test split draws from, and what it tells."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.config import DataConfig, TrialConfig
from trainables.data.dataset import ImageDataset, as_tensor, load_dataset
from trainables.measurement import DivergenceError
from trainables.seed import derive_seed
from trainables.training.evaluator import evaluator_for, ready_evaluator
from trainables.training.sampling import aggregate_images, sample_images, score_noise
from trainables.training.test_score import HeldOutScore, held_out_score
from trainables.training.trainer import Trainer

PRIORS = {
    "gaussian": {"kind": "gaussian"},
    "flow": {"kind": "flow", "hidden_size": 16, "num_layers": 1},
    "diffusion": {"kind": "diffusion", "hidden_size": 16, "beta_schedule": {"num_steps": 25}},
}
# Everything that is drawn for, but the real images and the protocol, which all trials share.
SCORES = {
    "test_fid", "kid", "untrained_fid", "reconstruction_fid", "aggregate_fid", "fid_noise",
    "hole_fid", "test_elbo", "test_rate", "test_distortion", "evidence", "evidence_elbo",
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits", "num_images": 600}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def config(**fields: object) -> TrialConfig:
    values = {
        "data": {"dataset": "digits", "num_images": 600}, "latent_size": 4,
        "prior": PRIORS["diffusion"], "network": {"num_channels": 8},
        "fid": {"num_samples": 100, "classifier_epochs": 2},
        "evidence": {"num_samples": 20, "num_images": 10}, "max_epochs": 1, "seed": 5,
    }  # fmt: skip
    return TrialConfig.model_validate(values | fields)


@pytest.fixture(scope="module")
def trained(dataset: ImageDataset, cache: Path) -> dict[str, torch.Tensor]:
    """Weights that trials of any seed can take up."""
    trainer = Trainer(config(), dataset, cache)
    trainer.fit_epoch()
    return trainer.best_weights


def with_weights(
    trial: TrialConfig, weights: dict[str, torch.Tensor], dataset: ImageDataset, cache: Path
) -> Trainer:
    """A trial at its end with given weights."""
    trainer = Trainer(trial, dataset, cache)
    trainer.fit_epoch()
    trainer.model.load_state_dict(weights)
    trainer.best_weights = {name: value.clone() for name, value in weights.items()}
    return trainer


def score_of(trainer: Trainer, folder: Path) -> HeldOutScore:
    trainer.save(folder)
    return held_out_score(folder, trainer.dataset, trainer.cache)


@contextmanager
def noting_streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[object, ...]]]:
    """The parts of every random stream that is opened inside."""
    opened: set[tuple[object, ...]] = set()

    def noted(*parts: object) -> int:
        opened.add(parts)
        return derive_seed(*parts)

    with monkeypatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("trainables.") and hasattr(module, "derive_seed"):
                patch.setattr(module, "derive_seed", noted)
        yield opened


def drawn_from(streams: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    """Without those that build a classifier, or the model whose weights are then loaded."""
    return {parts for parts in streams if parts[0] != "classifier" and parts[-1] != "weights"}


def test_trials_that_differ_in_seed_only_share_no_noise_of_their_scores(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    one, two = (
        score_of(with_weights(config(seed=s), trained, dataset, cache), tmp_path / str(s))
        for s in (5, 6)
    )
    same = {name for name in SCORES if getattr(one, name) == getattr(two, name)}
    assert same == set()
    assert one.real_fid == two.real_fid


def test_no_score_draws_from_a_stream_of_another_trial(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    streams = []
    for seed in (5, 6):
        trainer = with_weights(config(seed=seed), trained, dataset, cache)
        with noting_streams(monkeypatch) as opened:
            score_of(trainer, tmp_path / str(seed))
        streams.append(drawn_from(opened))
    assert len(streams[0]) == len(streams[1]) >= 10
    assert streams[0] & streams[1] == set()


def test_pictures_and_what_selects_have_the_noise_of_every_trial(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor]
) -> None:
    one, two = (with_weights(config(seed=s), trained, dataset, cache) for s in (5, 6))
    assert one.evaluate_fid() == two.evaluate_fid()
    assert one.validate() == two.validate()
    assert one.pictures["samples.png"] == two.pictures["samples.png"]
    assert torch.equal(one.sample(30), two.sample(30))


def test_under_the_first_revision_every_trial_draws_as_before(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trainer = with_weights(config(revision=1), trained, dataset, cache)
    with noting_streams(monkeypatch) as opened:
        score = score_of(trainer, tmp_path / "checkpoint")
    samples = {("samples", draw) for draw in range(4)}
    assert drawn_from(opened) == samples | {("reconstructions",), ("aggregate",)}
    assert score.test_fid == trainer.evaluator.distance(trainer.sample(100), "test")
    given = {name for name, value in asdict(score).items() if value not in (None, ())}
    assert given == {
        "test_fid", "untrained_fid", "protocol", "kid", "precision", "recall",
        "reconstruction_fid", "aggregate_fid", "fid_noise",
    }  # fmt: skip


def test_the_hole_is_the_distance_between_samples_and_aggregate(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    trainer = with_weights(config(), trained, dataset, cache)
    score, trial = score_of(trainer, tmp_path / "checkpoint"), trainer.config
    with trainer.best_model() as model:
        samples = sample_images(model, 100, 17, score_noise(trial, "samples", 0))
        aggregate = aggregate_images(
            model, as_tensor(dataset.train), 100, trial.data, score_noise(trial, "aggregate")
        )
    of_aggregate = replace(
        dataset, test=aggregate.numpy(), test_labels=np.zeros(100, np.int64), fingerprint="0" * 64
    )
    expected = evaluator_for(trial, of_aggregate, None)
    protocols = expected.protocol("test"), trainer.evaluator.protocol("test")
    assert len({protocol.weights_sha256 for protocol in protocols}) == 1
    assert score.hole_fid == pytest.approx(expected.distance(samples, "test"))


def test_the_bound_is_that_of_the_whole_test_split(
    dataset: ImageDataset, cache: Path, trained: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    trainer = with_weights(config(), trained, dataset, cache)
    score = score_of(trainer, tmp_path / "checkpoint")
    assert score.test_elbo == -(score.test_rate + score.test_distortion)
    swapped = replace(dataset, validation=dataset.test)
    trainer.validation_images = as_tensor(swapped.validation)
    other_noise = trainer.validate()
    assert score.test_rate == pytest.approx(other_noise.rate, abs=0.3)
    assert score.test_distortion == pytest.approx(other_noise.distortion, abs=0.5)
    assert score.test_elbo_error == pytest.approx(other_noise.standard_error, rel=0.2)


@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_has_its_evidence_above_its_bound(
    prior: str, dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    trainer = Trainer(config(prior=PRIORS[prior]), dataset, cache)
    trainer.fit_epoch()
    score = score_of(trainer, tmp_path / "checkpoint")
    assert score.evidence_elbo <= score.evidence_tenth <= score.evidence
    assert score.looseness == pytest.approx(score.evidence - score.evidence_elbo)
    assert 1 <= score.effective_samples <= score.evidence_samples == 20
    assert score.evidence_images == 10
    assert min(score.evidence_error, score.looseness_error) > 0


@pytest.mark.parametrize("prior", PRIORS)
def test_without_a_bound_there_is_neither_bound_nor_evidence(
    prior: str, dataset: ImageDataset, cache: Path, tmp_path: Path
) -> None:
    trainer = Trainer(config(prior=PRIORS[prior], objective="published"), dataset, cache)
    trainer.fit_epoch()
    score = score_of(trainer, tmp_path / "checkpoint")
    found = {name for name, value in asdict(score).items() if value is None}
    assert found == {
        "test_elbo", "test_rate", "test_distortion", "test_elbo_error", "evidence",
        "evidence_error", "evidence_tenth", "effective_samples", "evidence_elbo", "looseness",
        "looseness_error", "evidence_samples", "evidence_images",
    }  # fmt: skip


def test_each_classifier_has_its_fid_and_the_first_is_that_of_the_protocol(
    dataset: ImageDataset, tmp_path: Path, trained: dict[str, torch.Tensor]
) -> None:
    fid = {"num_samples": 100, "classifier_epochs": 2, "num_classifiers": 3}
    folder = tmp_path / "cache"
    trainer = with_weights(config(fid=fid), trained, dataset, folder)
    told: list[str] = []
    ready_evaluator(trainer.config, dataset, folder, told.append)
    assert [line[-6:] for line in told] == ["2 of 3", "3 of 3"]
    files = {path.name for path in folder.iterdir()}
    score = score_of(trainer, tmp_path / "checkpoint")
    assert len(set(score.classifier_fids)) == 3
    assert score.classifier_fids[0] == score.test_fid
    alone = with_weights(config(), trained, dataset, tmp_path / "alone")
    assert score_of(alone, tmp_path / "one").test_fid == score.test_fid
    assert {path.name for path in folder.iterdir()} == files


def test_real_images_are_as_many_as_samples_and_come_from_the_cache(
    digits: ImageDataset, tmp_path: Path
) -> None:
    data = {"dataset": "digits"}
    distances = []
    for num_samples in (400, 1079, 2000):
        fid = {"num_samples": num_samples, "classifier_epochs": 2}
        evaluator = evaluator_for(config(data=data, fid=fid), digits, tmp_path)
        distances.append(evaluator.distance_of_real(digits.train, "test"))
    assert len(digits.train) == 1079
    whole = evaluator_for(config(data=data, fid={"num_samples": 1079, "classifier_epochs": 2}),
                          digits, tmp_path)  # fmt: skip
    expected = whole.distance(as_tensor(digits.train), "test")
    assert distances[1:] == [pytest.approx(expected)] * 2
    assert distances[0] > expected / 2
    unseen = np.zeros_like(digits.train)
    assert whole.distance_of_real(unseen, "test") == distances[1]


SCORE = HeldOutScore(1.0, 2.0, {"features": "pixels"}, 0.1, 0.2, 0.3, 4.0, 5.0, 0.6)


@pytest.mark.parametrize("name", ["evidence", "test_elbo", "looseness_error", "real_fid"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_a_divergence_by_its_name(name: str, value: float) -> None:
    with pytest.raises(DivergenceError, match=f"{name} is"):
        replace(SCORE, **{name: value})


def test_a_score_that_is_not_finite_is_found_among_several() -> None:
    with pytest.raises(DivergenceError, match="classifier_fids is"):
        replace(SCORE, classifier_fids=(1.0, math.nan))
