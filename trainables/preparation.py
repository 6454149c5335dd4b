"""From Parquet shards of encoded images to one prepared file, see `trainables.prepared_file`.

Where no shard holds a validation part, a seeded tenth of train becomes it. Each image is decoded
once and written to its place, so memory stays small whatever the size of the set. No torch here.
"""

import hashlib
import itertools
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, UInt8
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from trainables.checkpoint import file_hash
from trainables.config import ImageFormat, Slug
from trainables.error import InputError
from trainables.prepared_file import (
    PreparedDataset,
    alone,
    asides,
    digest,
    find_prepared,
    read_metadata,
    write_arrow,
)
from trainables.seed import derive_seed
from trainables.shard import (
    IMAGE_COLUMNS,
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
RESIZE = "shorter side, bilinear with antialias, centre crop"
BUILT_IN = "digits"
Progress = Callable[[int, int], None]
Counts = dict[str, int]


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
    _check_request(name, format)
    shards = find_shards(pattern)
    for path in shards:
        _check_columns(path)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / f".{name}.lock"):
        source = _identity(shards, format)
        before = find_prepared(name, folder)
        if before is not None and read_metadata(before.path)["source"] == source:
            return before
        with asides(folder, name) as (raw, arrow):
            preparation = _Preparation(name, folder, format, source, before, raw, arrow)
            return preparation.run(shards, progress or (lambda done, total: None))


@dataclass(frozen=True, slots=True)
class _Preparation:
    """One preparation under way, with its two temporary files."""

    name: str
    folder: Path
    wanted: ImageFormat | None
    source: str
    before: PreparedDataset | None
    raw: Path
    arrow: Path

    def run(self, shards: Sequence[Path], progress: Progress) -> PreparedDataset:
        order, counts = self._row_order(shards)
        found = self.wanted or _first_format(shards)
        labels = self._decode(shards, found, order, progress)
        metadata = self._describe(found, labels, counts)
        self._refuse_other(metadata["fingerprint"])
        write_arrow(self.arrow, self.raw, labels, found, metadata)
        self.arrow.replace(self.folder / f"{self.name}-{metadata['fingerprint'][:12]}.arrow")
        prepared = find_prepared(self.name, self.folder)
        assert prepared is not None
        return prepared

    def _row_order(self, shards: Sequence[Path]) -> tuple[Int64[np.ndarray, " num"], Counts]:
        """For each image of the shards its row in the prepared file; the size of each split."""
        sizes = [open_shard(path).metadata.num_rows for path in shards]
        order, counts = _ordered(np.repeat([split_of(path) for path in shards], sizes))
        if not len(order):
            raise InputError(f"the source of {self.name} holds no images")
        for split, count in counts.items():
            if count == 0:
                raise InputError(f"the source of {self.name} holds too few images for {split}")
        return np.argsort(order), counts

    def _decode(
        self,
        shards: Sequence[Path],
        found: ImageFormat,
        order: Int64[np.ndarray, " num"],
        progress: Progress,
    ) -> Int64[np.ndarray, " num"]:
        """Writes every image's pixels to its row of the raw file; returns the labels by row."""
        labels = np.empty(len(order), np.int64)
        with self.raw.open("wb") as file:
            images = itertools.chain.from_iterable(map(encoded_images, shards))
            for done, (row, encoded) in enumerate(zip(order, images, strict=True), start=1):
                pixels = _pixels(encoded, found, fit=self.wanted is not None)
                os.pwrite(file.fileno(), pixels.tobytes(), int(row) * found.num_dimensions)
                labels[row] = encoded.label
                if done % ROWS_AT_A_TIME == 0 or done == len(order):
                    progress(done, len(order))
        return labels

    def _describe(
        self, found: ImageFormat, labels: Int64[np.ndarray, " num"], counts: Counts
    ) -> dict[str, Any]:
        """What goes into the file's schema; the fingerprint is of content and preparation."""
        content = {
            "format": found.model_dump(),
            "resize": RESIZE if self.wanted else None,
            **{f"num_{split}": count for split, count in counts.items()},
        }
        hashes = [file_hash(self.raw), hashlib.sha256(labels.tobytes()).hexdigest()]
        fingerprint = digest([hashes, content])
        return {
            "name": self.name, "fingerprint": fingerprint, "source": self.source, **content
        }  # fmt: skip

    def _refuse_other(self, fingerprint: str) -> None:
        if self.before is not None and self.before.fingerprint != fingerprint:
            raise InputError(
                f"{self.name} is prepared already with fingerprint"
                f" {self.before.fingerprint[:12]}, and this source has {fingerprint[:12]}; give"
                f" it another name, or remove {self.before.path}"
            )


def _check_request(name: str, wanted: ImageFormat | None) -> None:
    try:
        TypeAdapter(Slug).validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"a data set is named with letters, digits, - and _, at most 64, got {name!r}"
        ) from error
    if name == BUILT_IN:
        raise InputError(f"{BUILT_IN} comes with scikit-learn; call these images something else")
    if wanted and (wanted.channels not in (1, 3) or wanted.num_levels != 256):
        raise InputError(
            f"encoded images have 1 or 3 channels of 256 levels, but {name} is asked to have"
            f" {wanted.channels} of {wanted.num_levels}"
        )


def _check_columns(path: Path) -> None:
    """Encoded bytes and integers, or nothing: a shard without rows may have columns of null."""
    kinds, schema = pa.types, open_shard(path).schema_arrow
    image = schema.field(next(name for name in IMAGE_COLUMNS if name in schema.names)).type
    if kinds.is_struct(image) and image.get_field_index("bytes") >= 0:
        image = image.field("bytes").type
    if not (kinds.is_binary(image) or kinds.is_large_binary(image) or kinds.is_null(image)):
        raise InputError(f"{path} holds images as {image}, but encoded bytes are needed")
    label = schema.field("label").type if "label" in schema.names else pa.null()
    if not (kinds.is_integer(label) or kinds.is_null(label)):
        raise InputError(f"{path} has labels of type {label}, but integers are needed, or none")


def _ordered(splits: np.ndarray) -> tuple[Int64[np.ndarray, " num"], Counts]:
    """Which image comes first, second, … in the order train, validation, test; sizes of each."""
    rows = {split: np.flatnonzero(splits == split) for split in SPLIT_WORDS.values()}
    if not len(rows["validation"]):
        train = rows["train"]
        num = min(LARGEST_VALIDATION, max(1, len(train) // 10))
        drawn = np.random.default_rng(derive_seed("validation split")).permutation(len(train))
        rows["validation"] = np.sort(train[drawn[:num]])
        rows["train"] = np.sort(train[drawn[num:]])
    return np.concatenate(list(rows.values())), {split: len(rows[split]) for split in rows}


def _first_format(shards: Sequence[Path]) -> ImageFormat:
    encoded = next(itertools.chain.from_iterable(map(encoded_images, shards)))
    return format_of(_picture(encoded), encoded.place)


def _pixels(
    encoded: EncodedImage, found: ImageFormat, *, fit: bool
) -> UInt8[np.ndarray, "channels height width"]:
    # Converted before it is resized: PIL does not interpolate between the colours of a palette.
    image = _picture(encoded).convert("L" if found.channels == 1 else "RGB")
    return fitted_pixels(image, found) if fit else exact_pixels(image, found, encoded.place)


def _picture(encoded: EncodedImage) -> Image.Image:
    """The decoded picture.

    Raises:
        InputError: it does not decode, or has more than eight bits a channel.
    """
    try:
        image = decode(encoded)
    except InputError:
        raise
    except (ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(f"{encoded.place} does not decode") from error
    if image.mode.startswith(("I", "F")):
        raise InputError(f"{encoded.place} has more than eight bits a channel ({image.mode})")
    return image


def _identity(shards: Sequence[Path], wanted: ImageFormat | None) -> str:
    """Of the source as it lies there: paths, sizes, times, and what was asked for."""
    stats = [path.stat() for path in shards]
    files = [
        (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        for path, stat in zip(shards, stats, strict=True)
    ]
    return digest([files, [wanted.model_dump(), RESIZE] if wanted else None])
