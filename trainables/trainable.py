"""The door to Ray Tune: translation only, a suggestion in and measurements out.

A trial finds its own past: a crashed worker, a lost node and a restarted study all come through
`begin`, which goes on from the newest valid checkpoint in the trial's own folder.
"""

import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.checkpoint import (
    FencedError,
    claim,
    config_hash,
    damaged_checkpoints,
    discard,
    discard_old,
    is_fenced,
    newest_checkpoint,
)
from trainables.data.dataset import ImageDataset
from trainables.measurement import Measurement
from trainables.plugin import load_plugins
from trainables.suggestion import Suggestion, Workplace
from trainables.training.test_score import held_out_score
from trainables.training.trainer import Trainer, device_name

DISK_PAUSE = 10.0  # seconds between two looks at a full disk


class PriorTrainable(tune.Trainable):
    """One trial at a time; a reused actor begins the next one in `reset_config`."""

    def setup(
        self,
        config: dict[str, Any],
        workplace: dict[str, Any] | None = None,
        datasets: Mapping[str, ImageDataset] | None = None,
    ) -> None:
        """Called once per actor, with what all trials of the study share."""
        assert workplace is not None
        assert datasets is not None
        self.workplace = Workplace.model_validate(workplace)
        self.datasets = datasets
        load_plugins(self.workplace.plugins)
        self.begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called instead of `setup` when an actor is reused."""
        self.begin(new_config)
        return True

    def begin(self, config: dict[str, Any]) -> None:
        """Takes up a trial where its newest valid checkpoint left it, or at its start."""
        torch.set_num_threads(self.workplace.num_threads)
        self.suggestion = Suggestion.model_validate(config["suggestion"])
        study_folder = Path(self.workplace.study_folder)
        self.trial_folder = study_folder / self.suggestion.trial_path
        self.attempt_folder = self.trial_folder / str(self.suggestion.attempt)
        self.damaged: list[str] = []
        self.dataset = self.datasets[self.suggestion.config.data.dataset]
        self.cache = Path(self.workplace.data_folder)
        self.saved_at = time.monotonic()
        if self.suggestion.phase != "test":
            claim(self.attempt_folder)
            self.trainer = self._trainer()
            self.saved_epoch = self.trainer.epoch
            self.unreported = list(self.trainer.history)

    def step(self) -> dict[str, Any]:
        """Trains to the next rung or for a few seconds; returns the curve since the last step.

        The first step of a trial that was taken up returns its past at once: the ledger may lack
        a rung that the history has, and may decide there that the trial ends.
        """
        if self.suggestion.phase == "test":
            return self._result(test=self._test())
        if not self.unreported:
            self._train()
        curve, self.unreported = self.unreported, []
        has_fid = any(measurement.val_fid is not None for measurement in curve)
        return self._result(
            curve=[measurement.as_dict() for measurement in curve],
            val_protocol=self.trainer.evaluator.protocol("validation").as_dict()
            if has_fid
            else None,
            done=self.trainer.is_finished,
        )

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Ray asks for this at a trial's end; what is not saved yet goes to our own folder."""
        if self.suggestion.phase != "test" and self.saved_epoch < self.trainer.epoch:
            self._save()

    def load_checkpoint(self, checkpoint: object) -> None:
        """Never used: a trial finds its own past."""

    def _trainer(self) -> Trainer:
        config = self.suggestion.config
        past = newest_checkpoint(self.trial_folder, config_hash(config))
        self.damaged = [
            str(path.relative_to(self.trial_folder))
            for path in damaged_checkpoints(self.trial_folder)
        ]
        if past is None:
            return Trainer(config, self.dataset, self.cache)
        return Trainer.load(past.folder, self.dataset, self.cache)

    def _train(self) -> None:
        deadline = time.monotonic() + self.workplace.step_seconds
        while not self.trainer.is_finished:
            measurement: Measurement = self.trainer.fit_epoch(self._save_if_due)
            self.unreported.append(measurement)
            if measurement.val_fid is not None:
                return self._save()
            self._save_if_due()
            if time.monotonic() > deadline:
                return None

    def _save_if_due(self) -> None:
        """By the clock, between two epochs and within one."""
        if time.monotonic() - self.saved_at > self.workplace.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        """Waits where the disk is full; what was saved before stays as it is.

        Raises:
            FencedError: the trial has ended or was issued again.
            OSError: the disk stays full, or cannot be written.
        """
        deadline = time.monotonic() + self.workplace.disk_seconds
        while True:
            try:
                self._write()
            except OSError as error:
                if error.errno not in (ENOSPC, EDQUOT) or time.monotonic() > deadline:
                    raise
                time.sleep(min(DISK_PAUSE, self.workplace.disk_seconds))
            else:
                break
        self.saved_at, self.saved_epoch = time.monotonic(), self.trainer.epoch

    def _write(self) -> None:
        if is_fenced(self.attempt_folder):
            raise FencedError(f"{self.suggestion.key} has ended or was issued again")
        within = self.trainer.image_pass
        name = f"epoch-{self.trainer.epoch:06d}" + (f"-{within.step:06d}" if within else "")
        try:
            self.trainer.save(self.attempt_folder / name)
        except OSError:
            discard(self.attempt_folder / name)  # half of it only takes room
            raise
        discard_old(self.attempt_folder)

    def _test(self) -> dict[str, Any]:
        checkpoint = newest_checkpoint(self.trial_folder, config_hash(self.suggestion.config))
        if checkpoint is None:
            raise FileNotFoundError(f"no valid checkpoint of {self.suggestion.key} to test")
        return asdict(held_out_score(checkpoint.folder, self.dataset, self.cache))

    def _result(
        self,
        *,
        curve: list[dict[str, int | float]] | None = None,
        test: dict[str, Any] | None = None,
        val_protocol: dict[str, Any] | None = None,
        done: bool = True,
    ) -> dict[str, Any]:
        payload = {
            "curve": curve or [], "test": test, "val_protocol": val_protocol, "done": done,
            "worker": self._worker(), "damaged": self.damaged,
        }  # fmt: skip
        # In a list, because Tune flattens dicts on their way to the scheduler.
        return {"payload": [payload], "done": done}

    @staticmethod
    def _worker() -> dict[str, str]:
        return {
            "executable": sys.executable,
            "host": socket.gethostname(),
            "device": device_name(),
        }
