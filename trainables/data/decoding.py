"""Encoded images become rows of a raw file, on all cores; and what was seen on the way.

The images are read in order, a chunk at a time, and decoded by worker processes, each of which
writes its rows where they belong. A few images are decoded in the calling process instead. No
torch here.
"""

import errno
import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt64
from PIL import Image

from trainables.config import ImageFormat
from trainables.data.overlap import DIGEST, exact_digest, is_constant, look_hash
from trainables.data.workers import Chunk, Workers
from trainables.error import InputError
from trainables.picture import (
    Background,
    Crop,
    decode,
    pixels_of,
    without_alpha,
)
from trainables.sources import SourceImage

Digests = np.ndarray


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every image becomes pixels.

    Attributes:
        format: what they look like then.
        crop: what is cut out before; None where the images have the wanted size already.
        background: what transparent pixels are laid over.
        raw: the file that the pixels are written to.
    """

    format: ImageFormat
    crop: Crop | None
    background: Background
    raw: Path


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was seen of the images, by row.

    Attributes:
        labels: the class of each; -1 where there is none.
        came: digest of the pixels as they came.
        prepared: digest of the pixels as they are stored.
        looks: hash of the look.
        constant: whether it has one colour only.
        seen: number of images that were transparent, lost their colour, and so on.
        broken: the sentence about each image that cannot be taken, by its number in the source.
    """

    labels: Int64[np.ndarray, " num"]
    came: Digests
    prepared: Digests
    looks: UInt64[np.ndarray, " num"]
    constant: Bool[np.ndarray, " num"]
    seen: Counter[str] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)


def decode_images(
    images: Iterable[SourceImage],
    order: Int64[np.ndarray, " num"],
    recipe: Recipe,
    progress: Callable[[int, int], None],
    workers: Workers,
) -> Decoded:
    """Writes the pixels of every image to its row of the raw file.

    Args:
        images: as they come.
        order: the row of each.
        recipe: how they become pixels, and the file.
        progress: told images done and images in all.
        workers: who does it.

    Raises:
        InputError: there are more or fewer images than rows.
        OSError: the file cannot be written.
    """
    num = len(order)
    found = Decoded(
        np.empty(num, np.int64), np.empty(num, DIGEST), np.empty(num, DIGEST),
        np.empty(num, np.uint64), np.empty(num, bool),
    )  # fmt: skip
    with recipe.raw.open("wb") as file:
        _reserve(file.fileno(), num * recipe.format.num_dimensions)
    done = 0
    work = functools.partial(_decode_chunk, recipe=recipe)
    for chunk, result in workers.results(work, images, order):
        _note(found, chunk, result)
        done += len(chunk.images)
        progress(done, num)
    if done != num:
        raise InputError(f"the source had {num} images when it was read, and now {done}")
    return found


@dataclass(frozen=True, slots=True)
class _Result:
    came: Digests
    prepared: Digests
    looks: UInt64[np.ndarray, " num"]
    constant: Bool[np.ndarray, " num"]
    seen: Counter[str]
    broken: dict[int, str]


def _note(found: Decoded, chunk: Chunk, result: _Result) -> None:
    found.labels[chunk.rows] = [image.label for image in chunk.images]
    found.came[chunk.rows] = result.came
    found.prepared[chunk.rows] = result.prepared
    found.looks[chunk.rows] = result.looks
    found.constant[chunk.rows] = result.constant
    found.seen.update(result.seen)
    found.broken.update(result.broken)


def _decode_chunk(chunk: Chunk, recipe: Recipe) -> _Result:
    image = recipe.format
    shape = (len(chunk.rows), image.channels, image.size, image.size)
    pixels, came = np.zeros(shape, np.uint8), np.zeros(len(chunk.rows), DIGEST)
    mode, is_as_it_came = "L" if image.channels == 1 else "RGB", np.zeros(len(came), bool)
    seen: Counter[str] = Counter()
    broken: dict[int, str] = {}
    for at, one in enumerate(chunk.images):
        try:
            picture = decode(one.data, one.place)
            picture, is_transparent = without_alpha(picture, recipe.background)
            pixels[at] = _pixels(picture, recipe, one.place)
            is_as_it_came[at] = recipe.crop is None and picture.mode == mode
            if not is_as_it_came[at]:
                came[at] = exact_digest(np.asarray(picture))
            seen["transparent"] += is_transparent
            seen["coloured"] += image.channels == 1 and _has_colour(picture)
        except InputError as error:
            broken[chunk.first + at] = str(error)
    _write(pixels, chunk.rows, recipe)
    prepared = np.array([exact_digest(one) for one in pixels], DIGEST)
    came[is_as_it_came] = prepared[is_as_it_came]
    return _Result(came, prepared, look_hash(pixels), is_constant(pixels), seen, broken)


def _pixels(
    picture: Image.Image, recipe: Recipe, place: str
) -> UInt8[np.ndarray, "channels height width"]:
    wanted = recipe.format
    pixels = pixels_of(picture, wanted, recipe.crop, place)
    if wanted.num_levels < 256 and pixels.max() >= wanted.num_levels:
        raise InputError(
            f"{place} has the level {pixels.max()}, and {wanted.num_levels} levels end at"
            f" {wanted.num_levels - 1}"
        )
    return pixels


def _has_colour(picture: Image.Image) -> bool:
    pixels = np.asarray(picture.convert("RGB"))
    return bool((pixels != pixels[..., :1]).any())


def _write(
    pixels: UInt8[np.ndarray, "num channels height width"],
    rows: Int64[np.ndarray, " num"],
    recipe: Recipe,
) -> None:
    """Runs of rows that lie behind each other are written at once."""
    size = recipe.format.num_dimensions
    starts = np.flatnonzero(np.diff(rows, prepend=rows[:1] - 2) != 1)
    ends = np.append(starts[1:], len(rows))
    descriptor = os.open(recipe.raw, os.O_WRONLY)
    try:
        for start, end in zip(starts, ends, strict=True):
            run = pixels[start:end].tobytes()
            if os.pwrite(descriptor, run, int(rows[start]) * size) < len(run):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def _reserve(descriptor: int, num_bytes: int) -> None:
    """A full disk is told before an hour of decoding, not after; macOS cannot tell."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)
