"""The one look at the test split, after everything is chosen: the test FID and its parts.

    test FID        samples of the prior, decoded                  everything together
    aggregate FID   z ~ q(z), the train posteriors, decoded        a perfect prior would draw these
    reconstruction  the test images through encoder and decoder    what the decoder loses

The prior's hole is test FID - aggregate FID: both have the same number of samples, so that their
biases cancel. The reconstructions are one for each test image.
"""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data import ImageDataset, as_tensor
from trainables.measurement import DivergenceError
from trainables.sampling import aggregate_images, reconstruct_images
from trainables.training import Trainer

NUM_DRAWS = 4


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

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
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
    untrained = Trainer(trainer.config, dataset, cache)
    scores = trainer.evaluator.scores(trainer.sample(trainer.config.fid.num_samples), "test")
    return HeldOutScore(
        test_fid=scores.fid,
        untrained_fid=untrained.evaluate_fid("test"),
        protocol=trainer.evaluator.protocol("test").as_dict(),
        kid=scores.kid,
        precision=scores.precision,
        recall=scores.recall,
        reconstruction_fid=_reconstruction_fid(trainer),
        aggregate_fid=_aggregate_fid(trainer),
        fid_noise=_fid_noise(trainer, scores.fid),
    )


def _reconstruction_fid(trainer: Trainer) -> float:
    images = as_tensor(trainer.dataset.test).to(trainer.device)
    with trainer.best_model() as model:
        reconstructions = reconstruct_images(model, images, trainer.config.data)
    return trainer.evaluator.distance_of_reconstructions(reconstructions, "test")


def _aggregate_fid(trainer: Trainer) -> float:
    config = trainer.config
    with trainer.best_model() as model:
        samples = aggregate_images(
            model, trainer.train_images, config.fid.num_samples, config.data
        )
    return trainer.evaluator.distance(samples, "test")


def _fid_noise(trainer: Trainer, first: float) -> float:
    """Standard deviation of the FID over draws of samples, the first of them given."""
    num_samples = trainer.config.fid.num_samples
    others = (trainer.sample(num_samples, seed) for seed in range(1, NUM_DRAWS))
    fids = [first, *(trainer.evaluator.distance(samples, "test") for samples in others)]
    return statistics.stdev(fids)
