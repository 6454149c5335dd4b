"""A worker's trial on disk: cut off, damaged, without room; called as Ray would, without Ray."""

import errno
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainables.checkpoint import FencedError, newest_checkpoint, read_history, seal
from trainables.config import DataConfig, TrialConfig
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion, Workplace
from trainables.trainable import PriorTrainable

CONFIG = TrialConfig.model_validate({
    "data": {"dataset": "digits", "num_images": 600}, "latent_size": 4,
    "prior": {"kind": "flow", "hidden_size": 8, "num_layers": 1}, "network": {"num_channels": 8},
    "optimizer": {"ema_decay": 0.9}, "fid": {"num_samples": 100, "classifier_epochs": 1},
    "max_epochs": 4, "rungs": [2],
})  # fmt: skip
TRIAL = Path("trials/search/digits/flow/4/0")


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits", "num_images": 600}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Workshop:
    """Issues one trial to one worker after the other."""

    def __init__(self, folder: Path, cache: Path, dataset: ImageDataset, **workplace: Any) -> None:
        self.folder, self.datasets = folder, {"digits": dataset}
        self.workplace = Workplace(
            study_folder=str(folder), data_folder=str(cache), **{"disk_seconds": 0, **workplace}
        )

    def issue(self, attempt: int) -> PriorTrainable:
        worker = PriorTrainable.__new__(PriorTrainable)
        suggestion = Suggestion(
            phase="search", stratum="digits/flow/4", number=0, attempt=attempt, config=CONFIG
        )
        config = {"suggestion": suggestion.model_dump(mode="json")}
        worker.setup(config, self.workplace.model_dump(), self.datasets)
        return worker

    @property
    def trial(self) -> Path:
        return self.folder / TRIAL


@pytest.fixture
def workshop(tmp_path: Path, cache: Path, dataset: ImageDataset) -> Workshop:
    return Workshop(tmp_path, cache, dataset)


def finish(worker: PriorTrainable) -> list[Measurement]:
    while not worker.step()["done"]:
        pass
    return numbers(worker)


def numbers(worker: PriorTrainable) -> list[Measurement]:
    return [replace(measurement, seconds=0.0) for measurement in worker.trainer.history]


def payload(result: dict[str, Any]) -> dict[str, Any]:
    return result["payload"][0]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, cache: Path, dataset: ImageDataset
) -> list[Measurement]:
    return finish(Workshop(tmp_path_factory.mktemp("whole"), cache, dataset).issue(1))


class KilledError(BaseException):
    """The worker's process ends here."""


def test_a_trial_killed_within_an_epoch_loses_what_was_not_saved_and_no_number(
    tmp_path: Path, cache: Path, dataset: ImageDataset, undisturbed: list[Measurement],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    workshop = Workshop(tmp_path, cache, dataset, checkpoint_seconds=0)
    saves = iter(range(5))  # a save after every batch, and after the fifth the end

    def counted(self: PriorTrainable) -> None:
        write(self)
        if next(saves, None) is None:
            raise KilledError

    write = PriorTrainable._write
    monkeypatch.setattr(PriorTrainable, "_write", counted)
    with pytest.raises(KilledError):
        finish(workshop.issue(1))
    monkeypatch.undo()
    newest = newest_checkpoint(workshop.trial)
    assert newest is not None
    assert newest.folder.name.count("-") == 2, "it was not killed within an epoch"
    assert finish(workshop.issue(2)) == undisturbed


def test_a_damaged_checkpoint_is_passed_over_and_told(
    workshop: Workshop, undisturbed: list[Measurement]
) -> None:
    finish(workshop.issue(1))
    newest = newest_checkpoint(workshop.trial)
    assert newest is not None
    (newest.folder / "state.pt").write_bytes(b"damaged")
    worker = workshop.issue(2)
    assert worker.trainer.epoch == 2
    assert payload(worker.step())["damaged"] == ["1/epoch-000004"]
    assert finish(worker) == undisturbed


def test_a_worker_that_was_cut_off_writes_nothing_into_a_trial_issued_again(
    workshop: Workshop,
) -> None:
    cut_off = workshop.issue(1)
    cut_off.step()
    workshop.issue(2)
    before = sorted(workshop.trial.rglob("*"))
    with pytest.raises(FencedError, match="issued again"):
        finish(cut_off)
    assert sorted(workshop.trial.rglob("*")) == before


def test_a_worker_that_was_cut_off_writes_nothing_into_a_trial_that_ended(
    workshop: Workshop,
) -> None:
    cut_off = workshop.issue(1)
    cut_off.step()
    seal(workshop.trial)
    with pytest.raises(FencedError, match="has ended"):
        finish(cut_off)


NAMES = ["weights.safetensors", "best.safetensors", "state.pt", "samples.png", "history.json",
         "config.json", "manifest.json"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_the_old_checkpoint_and_the_trial_fails_with_the_reason(
    name: str, workshop: Workshop, undisturbed: list[Measurement], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = workshop.issue(1)
    worker.step()
    old = newest_checkpoint(workshop.trial)
    refuse(monkeypatch, name)
    with pytest.raises(OSError, match="No space left on device"):
        finish(worker)
    monkeypatch.undo()
    assert newest_checkpoint(workshop.trial) == old
    assert list(workshop.trial.glob("*/epoch-*")) == [old.folder] if old else []
    assert finish(workshop.issue(2)) == undisturbed


def test_a_trial_waits_for_room_and_goes_on(
    tmp_path: Path, cache: Path, dataset: ImageDataset, undisturbed: list[Measurement],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    worker = Workshop(tmp_path, cache, dataset, disk_seconds=60).issue(1)
    refuse(monkeypatch, "state.pt")
    monkeypatch.setattr("time.sleep", lambda _: monkeypatch.undo())
    assert finish(worker) == undisturbed
    assert read_history(newest_checkpoint(tmp_path / TRIAL).folder) == worker.trainer.history


def refuse(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No file of this name finds room any more."""
    write, replace_with = Path.write_bytes, Path.replace

    def full(path: Path) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def write_bytes(path: Path, content: bytes) -> int:
        full(path)
        return write(path, content)

    def replaced(path: Path, target: Path) -> Path:
        full(target)
        return replace_with(path, target)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    monkeypatch.setattr(Path, "replace", replaced)
    text = Path.write_text
    monkeypatch.setattr(Path, "write_text", lambda p, t: (full(p), text(p, t))[1])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one checkpoint and a half."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_in_truth_leaves_the_old_checkpoint(
    small_disk: Path, cache: Path, dataset: ImageDataset, undisturbed: list[Measurement]
) -> None:
    workshop = Workshop(small_disk, cache, dataset)
    worker = workshop.issue(1)
    worker.step()
    old = newest_checkpoint(workshop.trial)
    assert old is not None
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(b"0" * 2**20)
    ballast.write_bytes(b"0" * (ballast.stat().st_size - 8192))
    with pytest.raises(OSError, match="No space left on device"):
        finish(worker)
    assert newest_checkpoint(workshop.trial) == old
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert finish(workshop.issue(2)) == undisturbed
