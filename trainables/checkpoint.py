"""Checkpoints on disk: a folder is valid when its manifest is, and the manifest is written last.

    <trial>/<attempt>/epoch-000005/        weights, training state, history, manifest.json
    <trial>/<attempt>/epoch-000005-000120/ the same, 120 batches into the next epoch
    <trial>/ended                          the trial has ended, so nobody writes there any more

The manifest holds the hash of every other file and of the config, so a torn write, a damaged disk
and a checkpoint of another config are all found before anything is loaded. No torch here.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig, hashed_values
from trainables.file import file_hash, write_atomically
from trainables.measurement import Measurement

MANIFEST = "manifest.json"
ENDED = "ended"
HISTORY = "history.json"
KEPT = 2


class FencedError(RuntimeError):
    """An attempt that was given up wanted to write."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A valid checkpoint: every file has the hash that the manifest promises."""

    folder: Path
    epoch: int
    config_hash: str


def config_hash(config: TrialConfig) -> str:
    """SHA-256 of a config's values, in hex; see `trainables.config.revision` for later fields."""
    text = json.dumps(hashed_values(config.model_dump(mode="json")), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def commit(folder: Path, epoch: int, config: TrialConfig) -> Checkpoint:
    """Makes the files that lie in `folder` a checkpoint, by writing their manifest."""
    files = {path.name: file_hash(path) for path in _content(folder)}
    digest = config_hash(config)
    manifest = {"epoch": epoch, "config_hash": digest, "files": files}
    manifest["own_hash"] = _manifest_hash(manifest)
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return Checkpoint(folder, epoch, digest)


def read_checkpoint(folder: Path, only: str | None = None) -> Checkpoint | None:
    """The checkpoint in this folder, or None where it is not complete and undamaged.

    Args:
        folder: holds its files.
        only: the one file to check, where no other is needed; by default all of them.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        if manifest.pop("own_hash") != _manifest_hash(manifest):
            return None
        wanted = manifest["files"] if only is None else {only: manifest["files"][only]}
        hashes = {path.name: file_hash(path) for path in _content(folder) if path.name in wanted}
        if any(hashes.get(name) != digest for name, digest in wanted.items()):
            return None
        return Checkpoint(folder, int(manifest["epoch"]), str(manifest["config_hash"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def newest_checkpoint(
    trial_folder: Path, digest: str | None = None, only: str | None = None
) -> Checkpoint | None:
    """The valid checkpoint of the latest epoch, over all attempts; damaged ones are passed over.

    Args:
        trial_folder: holds one folder per attempt.
        digest: where given, only checkpoints of the config with this hash count.
        only: see `read_checkpoint`.
    """
    for folder in sorted(_checkpoint_folders(trial_folder), key=_age, reverse=True):
        checkpoint = read_checkpoint(folder, only)
        if checkpoint and digest in (None, checkpoint.config_hash):
            return checkpoint
    return None


def read_history(path: Path) -> list[Measurement]:
    """The measurements that a checkpoint holds, one per epoch."""
    values = json.loads((path / HISTORY).read_text())
    return [Measurement.from_dict(value) for value in values]


def damaged_checkpoints(trial_folder: Path) -> list[Path]:
    """Folders with a manifest that does not hold; without one a checkpoint was never finished."""
    finished = (p for p in _checkpoint_folders(trial_folder) if (p / MANIFEST).exists())
    return sorted(folder for folder in finished if read_checkpoint(folder) is None)


def claim(attempt_folder: Path) -> None:
    """Makes an attempt the only one that may write into its trial's folder."""
    attempt_folder.mkdir(parents=True, exist_ok=True)


def is_fenced(attempt_folder: Path) -> bool:
    """Whether the trial has ended, or was issued again: this attempt must write nothing more."""
    trial_folder, own = attempt_folder.parent, int(attempt_folder.name)
    if not trial_folder.is_dir():  # somebody deleted it
        return False
    later = (p.name for p in trial_folder.iterdir() if p.name.isdigit() and int(p.name) > own)
    return (trial_folder / ENDED).exists() or any(later)


def discard_old(attempt_folder: Path) -> None:
    """Keeps the newest checkpoints of an attempt, one of them in case the last is damaged.

    Those of earlier attempts go as soon as that many later ones are there.
    """
    folders = sorted(attempt_folder.glob("epoch-*"), key=_age, reverse=True)
    for folder in folders[KEPT:]:
        discard(folder)
    if len(folders) < KEPT:
        return
    for folder in list(_checkpoint_folders(attempt_folder.parent)):
        is_earlier = int(folder.parent.name) < int(attempt_folder.name)
        if is_earlier and folder.name < folders[KEPT - 1].name:
            discard(folder)


def discard(folder: Path) -> None:
    """Removes a checkpoint, valid or not; killed in its midst, it leaves none that is valid."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def seal(trial_folder: Path) -> None:
    """Ends a trial's folder: its newest valid checkpoint stays, and no worker writes again."""
    if not trial_folder.is_dir():
        return
    (trial_folder / ENDED).touch()
    folders = sorted(_checkpoint_folders(trial_folder), key=_age, reverse=True)
    kept = newest_checkpoint(trial_folder) if len(folders) > 1 else None
    for folder in folders:
        if kept is not None and folder != kept.folder:
            discard(folder)


def _manifest_hash(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _content(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.iterdir()) if p.name != MANIFEST and p.is_file())


def _checkpoint_folders(trial_folder: Path) -> Iterator[Path]:
    return (p for p in trial_folder.glob("*/epoch-*") if p.parent.name.isdigit())


def _age(folder: Path) -> tuple[str, int]:
    return folder.name, int(folder.parent.name) if folder.parent.name.isdigit() else 0
