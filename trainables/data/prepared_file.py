"""The file of a prepared data set: one Arrow record batch of pixels that is mapped, never copied.

    <folder>/<name>-<fingerprint[:12]>.arrow           as it was prepared
    <folder>/<name>@<size>-<fingerprint[:12]>.arrow    resized from that, see `trainables.resize`

Columns are image (C·H·W uint8) and label (int64, -1 where there is none); rows are ordered train,
validation, test. No torch here.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, UInt8
from pydantic import ValidationError

from trainables.config import ImageFormat
from trainables.data.overlap import Overlap
from trainables.error import InputError

METADATA_KEY = "prior-study"
FINGERPRINTED = "-" + "[0-9a-f]" * 12 + ".arrow"
SPLITS = ("train", "validation", "test")
# Images and labels of each split.
Splits = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A prepared file: where it is, what its images look like, and how its rows are split.

    `preparation` says where the splits come from and what was lost on the way, `overlap` what the
    splits have in common; a file that was made before these were told has neither.
    """

    name: str
    path: Path
    format: ImageFormat
    fingerprint: str
    num_train: int
    num_validation: int
    num_test: int
    preparation: Mapping[str, Any] = field(default_factory=dict)
    overlap: Overlap | None = None


def find_prepared(name: str, folder: Path) -> PreparedDataset | None:
    """The prepared data set of this name, or None.

    Raises:
        InputError: its file is damaged.
    """
    paths = sorted(folder.glob(f"{name}{FINGERPRINTED}"))
    return open_prepared(name, paths[0]) if paths else None


def open_prepared(name: str, path: Path) -> PreparedDataset:
    """What a prepared file says about itself.

    Raises:
        InputError: it is damaged.
    """
    values = read_metadata(path)
    try:
        return PreparedDataset(
            name=name,
            path=path,
            format=ImageFormat.model_validate(values["format"]),
            fingerprint=values["fingerprint"],
            num_train=values["num_train"],
            num_validation=values["num_validation"],
            num_test=values["num_test"],
            preparation=values.get("preparation", {}),
            overlap=Overlap.from_dict(values["overlap"]) if "overlap" in values else None,
        )
    except (KeyError, ValidationError) as error:
        raise _damaged(path) from error


def prepared_names(folder: Path) -> list[str]:
    """Names of the data sets that are prepared in a folder."""
    names = {path.stem.rpartition("-")[0] for path in folder.glob(f"*{FINGERPRINTED}")}
    return sorted(name for name in names if "@" not in name)


def read_prepared(
    prepared: PreparedDataset,
) -> tuple[UInt8[np.ndarray, "num channels height width"], Int64[np.ndarray, " num"]]:
    """Images and labels of all splits, mapped from the file, not read.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with pa.memory_map(str(prepared.path)) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(prepared.path) from error
    size = prepared.format.size
    shape = (batch.num_rows, prepared.format.channels, size, size)
    num_bytes = batch.num_rows * prepared.format.num_dimensions
    images = np.frombuffer(batch.column(0).buffers()[1], np.uint8, num_bytes)
    # Not by to_numpy(): that loads pandas, which takes a second.
    labels = np.frombuffer(batch.column(1).buffers()[1], np.int64, batch.num_rows)
    return images.reshape(shape), labels


def read_splits(prepared: PreparedDataset) -> Splits:
    """Images and labels of each split, mapped from the file, not read.

    Raises:
        InputError: the file is damaged.
    """
    images, labels = read_prepared(prepared)
    ends = np.cumsum([prepared.num_train, prepared.num_validation])
    parts = zip(np.split(images, ends), np.split(labels, ends), strict=True)
    return dict(zip(SPLITS, parts, strict=True))


def read_metadata(path: Path) -> dict[str, Any]:
    """What was written into a prepared file's schema.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with pa.memory_map(str(path)) as file:
            metadata = pa.ipc.open_file(file).schema.metadata
        values: dict[str, Any] = json.loads(metadata[METADATA_KEY.encode()])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    return values


def write_arrow(
    path: Path,
    raw: Path,
    labels: Int64[np.ndarray, " num"],
    found: ImageFormat,
    metadata: dict[str, Any],
) -> None:
    """One record batch, its pixels taken from the raw file by way of the page cache."""
    kind = pa.binary(found.num_dimensions)
    fields = [pa.field("image", kind), pa.field("label", pa.int64())]
    schema = pa.schema(fields, metadata={METADATA_KEY: json.dumps(metadata)})
    with pa.memory_map(str(raw)) as pixels, path.open("wb") as file:
        buffers = [None, pixels.read_buffer()]
        images = pa.FixedSizeBinaryArray.from_buffers(kind, len(labels), buffers)
        with pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(pa.record_batch([images, pa.array(labels)], schema=schema))
        file.flush()
        os.fsync(file.fileno())


def digest(values: Any) -> str:
    """SHA-256 of plain values, in hex."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """A second process that prepares the same set waits here, and then finds it done."""
    while True:
        # Anew each time: who gave up and had made the folder has taken it away.
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still_there(file.fileno(), path):
                continue
            try:
                yield
            finally:
                path.unlink()
            return


@contextlib.contextmanager
def asides(folder: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """Two temporary files; those of a preparation that crashed go first."""
    paths = folder / f".{name}.pixels", folder / f".{name}.arrow"
    try:
        for path in paths:
            path.unlink(missing_ok=True)
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def discarded_if_empty(folder: Path) -> Iterator[None]:
    """Where the work fails, folders that were not there before and hold nothing are removed."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # another process has use for it
            for path in missing:
                path.rmdir()
        raise


def _is_still_there(descriptor: int, path: Path) -> bool:
    """Whether the lock is the current one: who held it before removed the file at the end."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged; remove it and prepare again")
