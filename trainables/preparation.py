"""From Parquet shards of encoded images to one Arrow file of pixels that is mapped, never copied.

    <folder>/<name>-<fingerprint[:12]>.arrow    columns image (C·H·W uint8), label (int64)

Rows are ordered train, validation, test; where no shard holds a validation part, a seeded tenth of
train becomes it. No torch here.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.seed import derive_seed
from trainables.shard import (
    ROWS_AT_A_TIME,
    SPLIT_WORDS,
    EncodedImage,
    decode,
    encoded_images,
    exact_pixels,
    find_shards,
    fitted_pixels,
    format_of,
    open_shard,
    split_of,
)

LARGEST_VALIDATION = 5000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A prepared file: where it is, what its images look like, and how its rows are split."""

    name: str
    path: Path
    format: ImageFormat
    fingerprint: str
    num_train: int
    num_validation: int
    num_test: int


def prepare_dataset(
    name: str,
    pattern: str,
    folder: Path,
    format: ImageFormat | None = None,
    progress: Progress | None = None,
) -> PreparedDataset:
    """Prepares a data set, unless the same source was prepared before.

    Args:
        name: what the set is called from now on.
        pattern: a glob of Parquet shards.
        folder: where the prepared file goes.
        format: what every image is to look like; others are resized (shorter side) and cropped
            (centre). Without it the first image decides, and another size is an error.
        progress: told images done and images in all.

    Raises:
        InputError: no shard, no Parquet, no image; a split is missing; sizes differ; or other
            content is prepared under this name already. Nothing is left behind.
    """
    shards = find_shards(pattern)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{name}.lock"):
        source = _identity(shards, format)
        before = find_prepared(name, folder)
        if before is not None and _metadata(before.path)["source"] == source:
            return before
        return _Writer(name, folder, format, source, before).write(shards, progress)


def find_prepared(name: str, folder: Path) -> PreparedDataset | None:
    """The prepared data set of this name, or None."""
    paths = sorted(folder.glob(f"{name}-????????????.arrow"))
    if not paths:
        return None
    values = _metadata(paths[0])
    return PreparedDataset(
        name=name,
        path=paths[0],
        format=ImageFormat.model_validate(values["format"]),
        fingerprint=values["fingerprint"],
        num_train=values["num_train"],
        num_validation=values["num_validation"],
        num_test=values["num_test"],
    )


def prepared_names(folder: Path) -> list[str]:
    """Names of the data sets that are prepared in a folder."""
    return sorted({path.stem.rpartition("-")[0] for path in folder.glob("*-????????????.arrow")})


def read_prepared(prepared: PreparedDataset) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, C, H, W) uint8 and labels (N,) int64, mapped from the file, not read.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with pa.memory_map(str(prepared.path)) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{prepared.path} is damaged; remove it and prepare again") from error
    shape = (batch.num_rows, prepared.format.channels, prepared.format.size, prepared.format.size)
    images = np.frombuffer(batch.column(0).buffers()[1], np.uint8)
    return images[: np.prod(shape)].reshape(shape), batch.column(1).to_numpy()


@dataclass(slots=True)
class _Writer:
    """One preparation under way."""

    name: str
    folder: Path
    wanted: ImageFormat | None
    source: str
    before: PreparedDataset | None
    seen: ImageFormat | None = None

    def write(self, shards: Sequence[Path], progress: Progress | None) -> PreparedDataset:
        aside = self.folder / f".{self.name}.pixels"
        try:
            rows = self._decode(shards, aside, progress or (lambda done, total: None))
            return self._commit(aside, *rows)
        finally:
            aside.unlink(missing_ok=True)

    def _decode(
        self, shards: Sequence[Path], aside: Path, progress: Progress
    ) -> tuple[np.ndarray, list[str]]:
        """Pixels of all shards into one raw file; labels, and each row's split, in memory."""
        total = sum(open_shard(path).metadata.num_rows for path in shards)
        labels: list[int] = []
        splits: list[str] = []
        with aside.open("wb") as file:
            for path in shards:
                for encoded in encoded_images(path):
                    file.write(self._pixels(encoded))
                    labels.append(encoded.label)
                    splits.append(split_of(path))
                    if len(labels) % ROWS_AT_A_TIME == 0 or len(labels) == total:
                        progress(len(labels), total)
        if not labels:
            raise InputError(f"the source of {self.name} holds no images")
        return np.array(labels, np.int64), splits

    def _pixels(self, encoded: EncodedImage) -> bytes:
        image = decode(encoded)
        if self.wanted is not None:
            return fitted_pixels(image, self.wanted).tobytes()
        self.seen = self.seen or format_of(image, encoded.place)
        return exact_pixels(image, self.seen, encoded.place).tobytes()

    def _commit(self, aside: Path, labels: np.ndarray, splits: list[str]) -> PreparedDataset:
        found = self.wanted or self.seen
        assert found is not None
        size = found.num_dimensions
        pixels = np.memmap(aside, np.uint8, "r", shape=(len(labels), size))
        order, counts = _ordered(splits)
        ordered = pixels[order]
        digest = hashlib.sha256(ordered).hexdigest()
        text = json.dumps([digest, labels[order].tolist(), counts, found.model_dump()])
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self._refuse_other(fingerprint)
        metadata = {
            "name": self.name,
            "format": found.model_dump(),
            "fingerprint": fingerprint,
            "source": self.source,
            **{f"num_{split}": count for split, count in counts.items()},
        }
        path = self.folder / f"{self.name}-{fingerprint[:12]}.arrow"
        _write_arrow(path, ordered, labels[order], size, metadata)
        prepared = find_prepared(self.name, self.folder)
        assert prepared is not None
        return prepared

    def _refuse_other(self, fingerprint: str) -> None:
        if self.before is not None and self.before.fingerprint != fingerprint:
            raise InputError(
                f"{self.name} is prepared already with fingerprint"
                f" {self.before.fingerprint[:12]}, and this source has {fingerprint[:12]}; give"
                f" it another name, or remove {self.before.path}"
            )


def _ordered(splits: Sequence[str]) -> tuple[np.ndarray, dict[str, int]]:
    """Row order train, validation, test, and the size of each."""
    of = np.array(splits)
    rows = {split: np.flatnonzero(of == split) for split in SPLIT_WORDS.values()}
    if not len(rows["validation"]):
        train = rows["train"]
        num = min(LARGEST_VALIDATION, max(1, len(train) // 10))
        drawn = np.random.default_rng(derive_seed("validation split")).permutation(len(train))
        rows["validation"] = np.sort(train[drawn[:num]])
        rows["train"] = np.sort(train[drawn[num:]])
    counts = {split: len(rows[split]) for split in rows}
    return np.concatenate([rows["train"], rows["validation"], rows["test"]]), counts


def _write_arrow(
    path: Path, images: np.ndarray, labels: np.ndarray, size: int, metadata: dict[str, Any]
) -> None:
    column = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), len(labels), [None, pa.py_buffer(images)]
    )
    fields = [pa.field("image", pa.binary(size)), pa.field("label", pa.int64())]
    schema = pa.schema(fields, metadata={"prior-study": json.dumps(metadata)})
    batch = pa.record_batch([column, pa.array(labels)], schema=schema)
    aside = path.with_name(f".{path.name}.aside")
    try:
        with aside.open("wb") as file:
            with pa.ipc.new_file(file, schema) as writer:
                writer.write_batch(batch)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        with pa.memory_map(str(path)) as file:
            metadata = pa.ipc.open_file(file).schema.metadata
        values: dict[str, Any] = json.loads(metadata[b"prior-study"])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged; remove it and prepare again") from error
    return values


def _identity(shards: Sequence[Path], wanted: ImageFormat | None) -> str:
    """Of the source as it lies there: paths, sizes, times, and what was asked for."""
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime) for path in shards]
    text = json.dumps([stats, wanted.model_dump() if wanted else None])
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """A second process that prepares the same set waits here, and then finds it done."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
