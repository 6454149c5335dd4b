"""Parquet shards of encoded images, in the Hugging Face layout.

See `trainables.sources.shards` for where they lie, and `trainables.sources.columns` for what they
hold.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int64

from trainables.config import PreparationConfig
from trainables.count import plural
from trainables.error import InputError
from trainables.sources.class_folder import class_warnings, ordered_names
from trainables.sources.columns import Columns, choose_columns, is_text
from trainables.sources.file_kind import GIT_LFS
from trainables.sources.shards import find_shards
from trainables.sources.source import Reading, Source, SourceImage

ROWS_AT_A_TIME, BYTES_AT_A_TIME = 1000, 1 << 26
LARGEST_LABEL = 2**63 - 1


class ParquetSource(Source):
    """The shards that a path or a pattern names."""

    def __init__(
        self,
        where: str,
        config: PreparationConfig | None = None,
        *,
        is_one_split: bool = False,
    ) -> None:
        """Finds the shards and looks at their columns.

        Args:
            where: a file, a folder or a pattern.
            config: its label and group name columns.
            is_one_split: somebody said that all are of one split.

        Raises:
            InputError: there are none, or one cannot be read or has no images.
        """
        config = config or PreparationConfig()
        self._where = where
        self._shards = find_shards(where, is_one_split=is_one_split)
        files = [_open_shard(path) for path in self._shards.paths]
        self._num_rows = [file.metadata.num_rows for file in files]
        schemas, places = [file.schema_arrow for file in files], [str(p) for p in self._paths]
        self._columns: Columns = choose_columns(schemas, places, config)
        for file in files:
            file.close()

    @property
    def identity(self) -> Any:
        """Paths, sizes and times of the shards."""
        stats = [path.stat() for path in self._paths]
        return [
            (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
            for path, stat in zip(self._paths, stats, strict=True)
        ]

    def reading(self) -> Reading:
        """The splits by the shards' names, the classes and groups by columns.

        Raises:
            InputError: a split has no rows, or a label is too large.
        """
        self._refuse_empty()
        splits = [
            split
            for split, num in zip(self._shards.splits, self._num_rows, strict=True)
            for _ in range(num)
        ]
        labels, names = self._labels
        odd = label_warnings(labels, self._columns.label) if self._columns.label else []
        if not odd:
            odd = class_warnings(labels.tolist(), names, splits)
        rules = self._shards.rule, self._columns.rule if (labels >= 0).any() else ""
        group = self._columns.group
        return Reading(
            splits=splits,
            labels=labels,
            classes=names,
            groups=None if group is None else [str(value) for value in self._column(group)],
            rules=tuple(rule for rule in rules if rule),
            warnings=(
                *self._shards.warnings,
                *((self._columns.warning,) if self._columns.warning else ()),
                *odd,
            ),
            left_out=self._shards.left_out,
        )

    def images(self) -> Iterator[SourceImage]:
        """The rows, shard by shard, a batch at a time."""
        labels, first = self._labels[0].tolist(), 0
        for path, column, num in zip(
            self._paths, self._columns.image, self._num_rows, strict=True
        ):
            yield from _rows(path, column, labels[first : first + num])
            first += num

    @property
    def _paths(self) -> Sequence[Path]:
        return self._shards.paths

    @cached_property
    def _labels(self) -> tuple[Int64[np.ndarray, " num"], tuple[str, ...]]:
        """The label of each row, and the names of the classes."""
        if self._columns.label is None:
            return np.full(sum(self._num_rows), -1, np.int64), ()
        values = self._column(self._columns.label)
        words = {value for value in values if isinstance(value, str)}
        if words:
            names = tuple(ordered_names(words))
            numbers: dict[Any, int] = {name: label for label, name in enumerate(names)}
            return np.array([numbers.get(value, -1) for value in values], np.int64), names
        for row, value in enumerate(values):
            if value is not None and value > LARGEST_LABEL:
                raise InputError(
                    f"{self._place_of(row)} has the label {value}, too large for 64 bits"
                )
        labels = np.array([-1 if value is None else value for value in values], np.int64)
        # Names that are too few for the labels name something else.
        names = self._columns.names
        return labels, names if labels.max(initial=-1) < len(names) else ()

    def _column(self, name: str) -> list[Any]:
        """All values of a column other than that of the images."""
        values: list[Any] = []
        for path, num in zip(self._paths, self._num_rows, strict=True):
            with _damage_told(path, 0), _open_shard(path) as file:
                if name not in file.schema_arrow.names:
                    values += [None] * num
                    continue
                column = file.read([name]).column(name)
                if is_text(column.type):
                    column = column.cast(pa.string())
                values += column.to_pylist()
        return values

    def _place_of(self, row: int) -> str:
        for path, num in zip(self._paths, self._num_rows, strict=True):
            if row < num:
                return f"image {row} of {path}"
            row -= num
        raise IndexError(row)

    def _refuse_empty(self) -> None:
        if not sum(self._num_rows):
            raise InputError(f"{self._where} holds no images: its Parquet files have no rows")
        nums: dict[str, int] = {}
        for split, num in zip(self._shards.splits, self._num_rows, strict=True):
            nums[split] = nums.get(split, 0) + num
        for split, num in nums.items():
            if not num:
                raise InputError(
                    f"{self._where} holds too few images for {split}: its Parquet files have no"
                    " rows"
                )


def label_warnings(labels: Int64[np.ndarray, " num"], column: str) -> list[str]:
    """What is odd about numbers that are said to be classes, a sentence each."""
    known = labels[labels != -1]
    num_below, num_distinct = int((known < 0).sum()), len(np.unique(known))
    found = []
    if num_below:
        found.append(f"{plural(num_below, 'label')} below 0 in the column {column}")
    if len(known) >= 20 and num_distinct > len(known) / 2:
        found.append(
            f"the column {column} holds {num_distinct:,} different values for {len(known):,}"
            " images: numbers of images rather than classes; --label none leaves them out"
        )
    elif len(known) and int(known.max()) >= 10 * max(num_distinct, 100):
        found.append(
            f"the {num_distinct:,} classes of the column {column} have numbers up to"
            f" {int(known.max())}"
        )
    return found


def _open_shard(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied") from error
    except (pa.ArrowInvalid, OSError) as error:
        if _is_pointer(path):
            raise InputError(
                f"{path} is a Git LFS pointer, not the file: `git lfs pull` fetches it"
            ) from error
        raise InputError(f"{path} is not a Parquet file, or is cut short") from error


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(GIT_LFS)) == GIT_LFS
    except OSError:
        return False


def _rows(path: Path, column: str, labels: Sequence[int]) -> Iterator[SourceImage]:
    row = 0
    with _open_shard(path) as file:
        batches = file.iter_batches(_batch_rows(file), columns=[column])
        while True:
            with _damage_told(path, row):
                batch = next(batches, None)
                values = [] if batch is None else _encoded(batch.column(0))
            if batch is None:
                return
            for data in values:
                yield SourceImage(data, labels[row], f"image {row} of {path}")
                row += 1


def _encoded(column: pa.Array) -> list[bytes | None]:
    """The bytes of each image."""
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")
    values: list[bytes | None] = column.to_pylist()
    return values


def _batch_rows(file: pq.ParquetFile) -> int:
    """So many rows that a batch of large images stays small."""
    metadata = file.metadata
    size: int = sum(
        metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups)
    )
    row_size = size // max(1, metadata.num_rows)
    return int(max(1, min(ROWS_AT_A_TIME, BYTES_AT_A_TIME // max(1, row_size))))


@contextlib.contextmanager
def _damage_told(path: Path, row: int) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged after image {row}") from error
