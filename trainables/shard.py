"""Parquet shards of encoded images, in the Hugging Face layout, and the pixels of each image.

A column `image` or `img` is a struct with `bytes` or plain bytes; `label` is optional. The split
is read from `train`, `valid` or `test` in each file's name.
"""

import glob
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from trainables.config import ImageFormat
from trainables.error import InputError

ROWS_AT_A_TIME = 1000
SPLIT_WORDS = {"train": "train", "valid": "validation", "test": "test"}
IMAGE_COLUMNS = ("image", "img")


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """One row of a shard; the label is -1 where there is none."""

    data: bytes | None
    label: int
    place: str


def find_shards(pattern: str) -> list[Path]:
    """The files that a glob names, in order, all of them Parquet with images.

    Raises:
        InputError: there are none, one is no such file, or train or test is missing.
    """
    paths = [Path(path) for path in sorted(glob.glob(str(Path(pattern).expanduser())))]  # noqa: PTH207 - the user's pattern may be absolute
    if not paths:
        raise InputError(f"no file matches {pattern!r}")
    splits = {split_of(path) for path in paths}
    for needed in ("train", "test"):
        if needed not in splits:
            raise InputError(f"no file of {pattern!r} has {needed!r} in its name")
    for path in paths:
        open_shard(path)
    return paths


def open_shard(path: Path) -> pq.ParquetFile:
    """An opened shard.

    Raises:
        InputError: it is no Parquet file with an image column.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is no Parquet file, or is cut short") from error
    names = file.schema_arrow.names
    if not set(IMAGE_COLUMNS) & set(names):
        raise InputError(f"{path} needs a column `image` or `img`, it has {', '.join(names)}")
    return file


def split_of(path: Path) -> str:
    """The split that a file's name says: train, validation or test.

    Raises:
        InputError: it says none.
    """
    for word, split in SPLIT_WORDS.items():
        if word in path.name:
            return split
    raise InputError(f"{path.name} says no split: its name needs train, valid or test in it")


def encoded_images(path: Path) -> Iterator[EncodedImage]:
    """The rows of a shard, a batch at a time.

    Raises:
        InputError: the file is damaged.
    """
    file = open_shard(path)
    names = file.schema_arrow.names
    image_column = next(name for name in IMAGE_COLUMNS if name in names)
    columns = [image_column] + (["label"] if "label" in names else [])
    row = 0
    try:
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=columns):
            values = batch.to_pylist()
            for value in values:
                image, label = value[image_column], value.get("label")
                data = image.get("bytes") if isinstance(image, dict) else image
                yield EncodedImage(data, -1 if label is None else label, f"image {row} of {path}")
                row += 1
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is damaged after image {row}") from error


def decode(encoded: EncodedImage) -> Image.Image:
    """The picture.

    Raises:
        InputError: it does not decode.
    """
    try:
        image = Image.open(io.BytesIO(encoded.data or b""))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(f"{encoded.place} does not decode") from error
    return image


def format_of(image: Image.Image, place: str) -> ImageFormat:
    """What a square picture looks like.

    Raises:
        InputError: it is not square.
    """
    if image.width != image.height:
        raise InputError(f"{place} is {_size(image)}, and images need to be square")
    return ImageFormat(channels=1 if image.mode in ("L", "1") else 3, size=image.width)


def fitted_pixels(
    image: Image.Image, wanted: ImageFormat
) -> UInt8[np.ndarray, "channels height width"]:
    """Pixels of the picture: shorter side resized to the wanted size, centre cropped."""
    if image.size != (wanted.size, wanted.size):
        scale = wanted.size / min(image.size)
        resized = (round(image.width * scale), round(image.height * scale))
        image = image.resize(resized, Image.Resampling.BILINEAR)
        left, top = (image.width - wanted.size) // 2, (image.height - wanted.size) // 2
        image = image.crop((left, top, left + wanted.size, top + wanted.size))
    return _pixels(image, wanted)


def exact_pixels(
    image: Image.Image, wanted: ImageFormat, place: str
) -> UInt8[np.ndarray, "channels height width"]:
    """Pixels of a picture that has the wanted size already.

    Raises:
        InputError: it has not.
    """
    if image.size != (wanted.size, wanted.size):
        raise InputError(
            f"{place} is {_size(image)}, and the first image {wanted.size}×{wanted.size}: all"
            " need one size"
        )
    return _pixels(image, wanted)


def _pixels(image: Image.Image, wanted: ImageFormat) -> UInt8[np.ndarray, "channels height width"]:
    pixels = np.asarray(image.convert("L" if wanted.channels == 1 else "RGB"))
    return pixels[None] if wanted.channels == 1 else pixels.transpose(2, 0, 1)


def _size(image: Image.Image) -> str:
    return f"{image.width}×{image.height}"
