"""The one look at the test split, after everything is chosen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data import ImageDataset
from trainables.training import Trainer


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """A trained trial against the test split; see `study.record.TestResult`."""

    test_fid: float
    untrained_fid: float
    protocol: dict[str, Any]


def held_out_score(path: Path, dataset: ImageDataset, cache: Path | None = None) -> HeldOutScore:
    """The one look at the test split: best weights of a checkpoint, and the same model untrained.

    Args:
        path: the folder of a finished trial's checkpoint.
        dataset: the images.
        cache: as in `Trainer`.
    """
    trainer = Trainer.load(path, dataset, cache)
    untrained = Trainer(trainer.config, dataset, cache)
    return HeldOutScore(
        test_fid=trainer.evaluate_fid("test"),
        untrained_fid=untrained.evaluate_fid("test"),
        protocol=trainer.evaluator.protocol("test").as_dict(),
    )
