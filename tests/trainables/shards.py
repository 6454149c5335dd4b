"""Parquet shards of made-up pictures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.trainables.pictures import Pictures


def pngs(num: int, first: int = 0) -> list[bytes]:
    return [Pictures.png(first + seed) for seed in range(num)]


def shard(
    path: Path, images: Iterable[bytes], labels: Sequence[object] | None = None, key: str = "image"
) -> None:
    columns: dict[str, object] = {key: [{"bytes": image, "path": None} for image in images]}
    if labels is not None:
        columns["label"] = labels
    pq.write_table(pa.table(columns), path)


def glob_of(folder: Path) -> str:
    return str(folder / "*.parquet")


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
