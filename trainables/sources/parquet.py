"""Parquet shards of encoded images, in the Hugging Face layout.

A column `image` or `img` is a struct with `bytes` or plain bytes; `label` is optional. The split
is read from `train`, `valid` or `test` in each file's name.
"""

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainables.error import InputError
from trainables.sources.source import Reading, Source, SourceImage
from trainables.sources.split_word import splits_in

ROWS_AT_A_TIME = 1000
IMAGE_COLUMNS = ("image", "img")
LARGEST_LABEL = 2**63 - 1


class ParquetSource(Source):
    """The shards that a glob names."""

    def __init__(self, pattern: str) -> None:
        """Finds the shards and looks at their columns.

        Raises:
            InputError: there are none, one has no images, or train or test is missing.
        """
        self._shards = _find_shards(pattern)
        for path in self._shards:
            _check_columns(path)

    @property
    def identity(self) -> Any:
        """Paths, sizes and times of the shards."""
        stats = [path.stat() for path in self._shards]
        return [
            (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
            for path, stat in zip(self._shards, stats, strict=True)
        ]

    def reading(self) -> Reading:
        """The splits by the shard's name."""
        return Reading(
            [
                split_of(path)
                for path in self._shards
                for _ in range(_open_shard(path).metadata.num_rows)
            ]
        )

    def images(self) -> Iterator[SourceImage]:
        """The rows, shard by shard, a batch at a time."""
        for path in self._shards:
            yield from _rows(path)


def split_of(path: Path) -> str:
    """The split that a file's name says: train, validation or test.

    Raises:
        InputError: it says none, or more than one.
    """
    match splits_in(path.name):
        case [split]:
            return split
        case []:
            raise InputError(
                f"{path.name} says no split: its name needs train, valid or test in it"
            )
        case several:
            raise InputError(
                f"{path.name} says {' and '.join(several)}: its name needs only one of train,"
                " valid and test in it"
            )


def shard_images(pattern: str) -> Iterator[SourceImage]:
    """The images of all shards that a glob names, whatever splits they are of.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    for path in _matching(pattern):
        _check_columns(path)
        yield from _rows(path)


def _matching(pattern: str) -> list[Path]:
    paths = [Path(path) for path in sorted(glob.glob(str(Path(pattern).expanduser())))]  # noqa: PTH207 - the user's pattern may be absolute
    if not paths:
        raise InputError(f"no file matches {pattern!r}")
    return paths


def _find_shards(pattern: str) -> list[Path]:
    paths = _matching(pattern)
    splits = {split_of(path) for path in paths}
    for needed in ("train", "test"):
        if needed not in splits:
            raise InputError(f"no file of {pattern!r} has {needed!r} in its name")
    return paths


def _open_shard(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is no Parquet file, or is cut short") from error
    names = file.schema_arrow.names
    if not set(IMAGE_COLUMNS) & set(names):
        raise InputError(f"{path} needs a column `image` or `img`, it has {', '.join(names)}")
    return file


def _check_columns(path: Path) -> None:
    """Encoded bytes and integers, or nothing: a shard without rows may have columns of null."""
    kinds, schema = pa.types, _open_shard(path).schema_arrow
    image = schema.field(next(name for name in IMAGE_COLUMNS if name in schema.names)).type
    if kinds.is_struct(image) and image.get_field_index("bytes") >= 0:
        image = image.field("bytes").type
    if not (kinds.is_binary(image) or kinds.is_large_binary(image) or kinds.is_null(image)):
        raise InputError(f"{path} holds images as {image}, but encoded bytes are needed")
    label = schema.field("label").type if "label" in schema.names else pa.null()
    if not (kinds.is_integer(label) or kinds.is_null(label)):
        raise InputError(f"{path} has labels of type {label}, but integers are needed, or none")


def _rows(path: Path) -> Iterator[SourceImage]:
    file = _open_shard(path)
    names = file.schema_arrow.names
    image_column = next(name for name in IMAGE_COLUMNS if name in names)
    columns = [image_column] + (["label"] if "label" in names else [])
    row = 0
    try:
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=columns):
            for value in batch.to_pylist():
                image, label = value[image_column], value.get("label")
                data = image.get("bytes") if isinstance(image, dict) else image
                place = f"image {row} of {path}"
                if label is not None and label > LARGEST_LABEL:
                    raise InputError(f"{place} has the label {label}, too large for 64 bits")
                yield SourceImage(data, -1 if label is None else label, place)
                row += 1
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged after image {row}") from error
