"""The one look at the test split, after everything is chosen: the test FID, its parts, the bound.

    test FID        samples of the prior, decoded                  everything together
    aggregate FID   z ~ q(z), the train posteriors, decoded        a perfect prior would draw these
    hole FID        samples against the aggregate's                what the prior misses of q(z)
    reconstruction  the test images through encoder and decoder    what the decoder loses
    real FID        train images                                   a perfect model would have this

Samples and aggregate are of the same number, the reconstructions are one for each test image. All
noise is the trial's own. Under revision 1 it is that of every trial, and the hole is the test FID
minus the aggregate FID; there is no bound, and no real FID.
"""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from trainables.data.dataset import ImageDataset, as_tensor
from trainables.measurement import DivergenceError
from trainables.training.evaluator import evaluator_for
from trainables.training.evidence import estimate_evidence
from trainables.training.sampling import aggregate_images, reconstruct_images, score_noise
from trainables.training.trainer import Trainer
from trainables.training.validation import validate

NUM_DRAWS = 4
Images = UInt8[Tensor, "num channels height width"]


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """A trained trial against the test split; see `study.record.TestResult`."""

    test_fid: float
    untrained_fid: float
    protocol: dict[str, Any]
    kid: float
    precision: float
    recall: float
    reconstruction_fid: float
    aggregate_fid: float
    fid_noise: float
    hole_fid: float | None = None
    real_fid: float | None = None
    classifier_fids: tuple[float, ...] = ()
    test_elbo: float | None = None
    test_rate: float | None = None
    test_distortion: float | None = None
    test_elbo_error: float | None = None
    evidence: float | None = None
    evidence_error: float | None = None
    evidence_tenth: float | None = None
    effective_samples: float | None = None
    evidence_elbo: float | None = None
    looseness: float | None = None
    looseness_error: float | None = None
    evidence_samples: int | None = None
    evidence_images: int | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, float) and not math.isfinite(each):
                    raise DivergenceError(f"{name} is {value} on the test split")


def held_out_score(path: Path, dataset: ImageDataset, cache: Path | None = None) -> HeldOutScore:
    """The one look at the test split: best weights of a checkpoint, and the same model untrained.

    Args:
        path: the folder of a finished trial's checkpoint.
        dataset: the images.
        cache: as in `Trainer`.

    Raises:
        DivergenceError: a value is not finite.
    """
    trainer = Trainer.load(path, dataset, cache)
    config, evaluator = trainer.config, trainer.evaluator
    samples = _samples(trainer, 0)
    features, aggregate = (evaluator.features(each) for each in (samples, _aggregate(trainer)))
    scores = evaluator.scores_of_features(features, "test")
    later: dict[str, Any] = {} if config.revision == 1 else {
        "hole_fid": evaluator.distance_between(features, aggregate),
        "real_fid": evaluator.distance_of_real(dataset.train, "test"),
        "classifier_fids": _classifier_fids(trainer, samples, scores.fid),
        **_bound(trainer),
        **_evidence(trainer),
    }  # fmt: skip
    return HeldOutScore(
        test_fid=scores.fid,
        untrained_fid=_untrained_fid(trainer),
        protocol=evaluator.protocol("test").as_dict(),
        kid=scores.kid,
        precision=scores.precision,
        recall=scores.recall,
        reconstruction_fid=_reconstruction_fid(trainer),
        aggregate_fid=evaluator.distance_of_features(aggregate, "test"),
        fid_noise=_fid_noise(trainer, scores.fid),
        **later,
    )


def _samples(trainer: Trainer, draw: int, of: str = "trained") -> Images:
    noise = score_noise(trainer.config, "samples", draw, of=of)
    return trainer.sample(trainer.config.fid.num_samples, noise)


def _aggregate(trainer: Trainer) -> Images:
    config = trainer.config
    with trainer.best_model() as model:
        return aggregate_images(
            model, trainer.train_images, config.fid.num_samples, config.data,
            score_noise(config, "aggregate"),
        )  # fmt: skip


def _untrained_fid(trainer: Trainer) -> float:
    untrained = Trainer(trainer.config, trainer.dataset, trainer.cache)
    return trainer.evaluator.distance(_samples(untrained, 0, of="untrained"), "test")


def _reconstruction_fid(trainer: Trainer) -> float:
    noise = score_noise(trainer.config, "reconstructions")
    with trainer.best_model() as model:
        images = reconstruct_images(model, _test_images(trainer), trainer.config.data, noise)
    return trainer.evaluator.distance_of_reconstructions(images, "test")


def _fid_noise(trainer: Trainer, first: float) -> float:
    """Standard deviation of the FID over draws of samples, the first of them given."""
    others = (_samples(trainer, draw) for draw in range(1, NUM_DRAWS))
    fids = [first, *(trainer.evaluator.distance(samples, "test") for samples in others)]
    return statistics.stdev(fids)


def _classifier_fids(trainer: Trainer, samples: Images, first: float) -> tuple[float, ...]:
    """The test FID with the features of each classifier, that of the protocol given."""
    config = trainer.config
    if config.fid.num_classifiers == 1:
        return ()
    evaluators = (
        evaluator_for(config, trainer.dataset, trainer.cache, seed)
        for seed in range(1, config.fid.num_classifiers)
    )
    return first, *(evaluator.distance(samples, "test") for evaluator in evaluators)


def _bound(trainer: Trainer) -> dict[str, float]:
    """The bound over the whole test split, nats per image."""
    config = trainer.config
    if not config.has_bound:
        return {}
    with trainer.best_model() as model:
        bound = validate(
            model, _test_images(trainer), config,
            noise=score_noise(config, "bound"), with_collapse=False,
        )  # fmt: skip
    return {
        "test_elbo": -(bound.rate + bound.distortion),
        "test_rate": bound.rate,
        "test_distortion": bound.distortion,
        "test_elbo_error": bound.standard_error,
    }


def _evidence(trainer: Trainer) -> dict[str, float | None]:
    """The importance-weighted estimate for the first test images, nats per image."""
    config = trainer.config
    with trainer.best_model() as model:
        found = estimate_evidence(
            model, _test_images(trainer), config, score_noise(config, "evidence")
        )
    if found is None:
        return {}
    return {
        "evidence": found.estimate,
        "evidence_error": found.standard_error,
        "evidence_tenth": found.at_a_tenth,
        "effective_samples": found.effective_samples,
        "evidence_elbo": found.elbo,
        "looseness": found.looseness,
        "looseness_error": found.looseness_error,
        "evidence_samples": found.num_samples,
        "evidence_images": found.num_images,
    }


def _test_images(trainer: Trainer) -> Images:
    return as_tensor(trainer.dataset.test).to(trainer.device)
