"""One seed of an exported config, trained and tested as a worker of the study did.

It runs in any process, and takes up where it was interrupted.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from study.record import TEST_PARTS, TestResult
from study.reproduce.verdict import Obtained
from study.storage.environment import current_environment
from trainables.checkpoint import config_hash, discard_old, newest_checkpoint
from trainables.config import TrialConfig
from trainables.data.dataset import ImageDataset
from trainables.plugin import load_plugins
from trainables.training.test_score import HeldOutScore, held_out_score
from trainables.training.trainer import Trainer, device_name

CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a worker needs to run one seed again; plain values, so that it travels.

    Attributes:
        config: the exported config with this seed, as plain values.
        dataset: key of its images among those of all seeds.
        plugins: files that register its prior.
        data_folder: prepared data sets and FID statistics.
        folder: where its checkpoints go.
        num_threads: as many as the promise was made with.
    """

    config: dict[str, Any]
    dataset: str
    plugins: tuple[str, ...]
    data_folder: str
    folder: str
    num_threads: int


def run_again(rerun: Rerun, dataset: ImageDataset) -> Obtained:
    """Trains the config to its end, or on from its newest checkpoint, and tests it once."""
    load_plugins(rerun.plugins)
    torch.set_num_threads(rerun.num_threads)
    config = TrialConfig.from_stored(rerun.config)
    cache = Path(rerun.data_folder)
    checkpoint = _train(config, dataset, cache, Path(rerun.folder))
    trainer = Trainer.load(checkpoint, dataset, cache)
    score = held_out_score(checkpoint, dataset, cache)
    return Obtained(
        seed=config.seed,
        numbers=_numbers(trainer, score),
        protocol=score.protocol,
        environment=current_environment(rerun.num_threads, device_name()),
    )


def _train(config: TrialConfig, dataset: ImageDataset, cache: Path, folder: Path) -> Path:
    """The folder of the finished trial's checkpoint."""
    past = newest_checkpoint(folder, config_hash(config))
    trainer = (
        Trainer.load(past.folder, dataset, cache) if past else Trainer(config, dataset, cache)
    )
    checkpoint, saved_at = past.folder if past else None, time.monotonic()
    while not trainer.is_finished:
        trainer.fit_epoch()
        if trainer.is_finished or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
            checkpoint = folder / "1" / f"epoch-{trainer.epoch:06d}"
            trainer.save(checkpoint)
            discard_old(checkpoint.parent)
            saved_at = time.monotonic()
    assert checkpoint is not None
    return checkpoint


def _numbers(trainer: Trainer, score: HeldOutScore) -> dict[str, float]:
    result = TestResult(**{name: getattr(score, name) for name in HeldOutScore.__slots__})
    last, best = trainer.history[-1], min(trainer.history, key=lambda m: m.loss)
    values = {name: getattr(result, name) for name in ("test_fid", "untrained_fid", *TEST_PARTS)}
    values |= {"val_fid": last.val_fid, "best_elbo": best.elbo}
    return {name: value for name, value in values.items() if value is not None}
