"""Images of one split that are in another, pixel by pixel or by their look.

Exact: two images have the same pixels, as they came or at the prepared size. Alike: their prepared
images share a 64-bit hash of their look, the signs of the 8 × 8 lowest coefficients of the cosine
transform of their brightness (Zauner 2010). Of 4,000 images of CIFAR-10 85 % keep it when they are
brought to 24 pixels and back, 39 % as JPEG of quality 75, and no two share it; it blocks nothing.
An image of one colour is counted apart. No torch here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8, UInt64

from trainables.count import plural
from trainables.error import InputError

# A digest of 16 bytes, as two numbers that numpy can sort.
DIGEST = np.dtype([("first", "<u8"), ("second", "<u8")])
# More exact ones than this share of the smaller split need `--allow-duplicates`.
LARGEST_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class PairOverlap:
    """What two splits have in common.

    Attributes:
        first: the one split.
        second: the other.
        num_smaller: images of the smaller of the two.
        num_exact: images of the smaller one that are in the other, pixel by pixel.
        num_alike: images of it whose look is that of one in the other, the exact ones not counted.
    """

    first: str
    second: str
    num_smaller: int
    num_exact: int
    num_alike: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the splits of a set have in common, pair by pair.

    Attributes:
        pairs: train with validation, train with test, validation with test.
        num_constant: images of one colour only, in all splits; no pair counts them.
    """

    pairs: tuple[PairOverlap, ...]
    num_constant: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the prepared file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Overlap":
        """The same from plain values."""
        pairs = tuple(PairOverlap(**pair) for pair in values["pairs"])
        return cls(pairs, values["num_constant"])


def exact_digest(pixels: UInt8[np.ndarray, "..."]) -> tuple[int, int]:
    """128 bits that differ where the pixels or their shape do (BLAKE2b)."""
    made = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    made.update(np.ascontiguousarray(pixels).data)
    digest = made.digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def look_hash(
    images: UInt8[np.ndarray, "num channels height width"],
) -> UInt64[np.ndarray, " num"]:
    """64 bits that images of the same look share."""
    height, width = images.shape[-2:]
    brightness = images.mean(axis=1, dtype=np.float32)
    coefficients = _cosines(height) @ brightness @ _cosines(width).T
    bits = np.packbits(coefficients.reshape(len(images), 64) > 0, axis=1)
    return bits.view(np.dtype(">u8"))[:, 0].astype(np.uint64)


def is_constant(
    images: UInt8[np.ndarray, "num channels height width"],
) -> Bool[np.ndarray, " num"]:
    """Whether each image has one colour only."""
    first = images[:, :, :1, :1]
    constant: Bool[np.ndarray, " num"] = (images == first).all(axis=(1, 2, 3))
    return constant


def count_overlap(
    came: Mapping[str, np.ndarray],
    prepared: Mapping[str, np.ndarray],
    looks: Mapping[str, UInt64[np.ndarray, " _"]],
    constant: Mapping[str, Bool[np.ndarray, " _"]],
) -> Overlap:
    """What the splits have in common.

    Args:
        came: digests of the pixels as they came, by split.
        prepared: digests of the pixels as they are stored, by split.
        looks: hashes of the looks, by split.
        constant: whether an image has one colour only, by split.
    """
    pairs = []
    for first, second in combinations(came, 2):
        small, large = sorted((first, second), key=lambda split: len(came[split]))
        keep, others = ~constant[small], ~constant[large]
        is_exact = np.isin(came[small][keep], came[large][others])
        is_exact |= np.isin(prepared[small][keep], prepared[large][others])
        is_alike = np.isin(looks[small][keep], looks[large][others]) & ~is_exact
        num_exact, num_alike = int(is_exact.sum()), int(is_alike.sum())
        pairs.append(PairOverlap(first, second, len(came[small]), num_exact, num_alike))
    return Overlap(tuple(pairs), int(sum(values.sum() for values in constant.values())))


def overlap_of_splits(
    splits: Mapping[str, UInt8[np.ndarray, "_ channels height width"]],
) -> Overlap:
    """What splits have in common whose images came as they are stored."""
    digests = {
        split: np.array([exact_digest(image) for image in images], DIGEST)
        for split, images in splits.items()
    }
    return count_overlap(
        digests,
        digests,
        {split: look_hash(images) for split, images in splits.items()},
        {split: is_constant(images) for split, images in splits.items()},
    )


def check_overlap(overlap: Overlap, name: str, *, is_allowed: bool) -> None:
    """Refuses a set whose test images were trained on.

    Raises:
        InputError: more than 0.1 % of the smaller of two splits is, pixel by pixel, in the other,
            and that is not allowed.
    """
    for pair in overlap.pairs:
        if not is_allowed and pair.num_exact > LARGEST_SHARE * pair.num_smaller:
            raise InputError(
                f"{pair.first} and {pair.second} of {name} share {pair.num_exact:,} of"
                f" {plural(pair.num_smaller, 'image')}, pixel by pixel; remove them from one of"
                " the two, or take the set as it is with --allow-duplicates"
            )


def overlap_text(overlap: Overlap) -> str:
    """What the splits have in common, as a sentence."""
    told = [
        f"{pair.first} and {pair.second} share {pair.num_exact:,} of"
        f" {plural(pair.num_smaller, 'image')}, pixel by pixel"
        for pair in overlap.pairs
        if pair.num_exact
    ] or ["no image is in two splits"]
    told += [
        f"{pair.num_alike:,} of {plural(pair.num_smaller, 'image')} look alike in {pair.first} and"
        f" {pair.second} (64-bit hash)"
        for pair in overlap.pairs
        if pair.num_alike
    ]
    if overlap.num_constant:
        told.append(f"{plural(overlap.num_constant, 'image')} of one colour only, not compared")
    return "; ".join(told)


def _cosines(size: int) -> Float32[np.ndarray, "8 size"]:
    """The 8 lowest waves of the cosine transform (DCT-II)."""
    places = np.pi * (np.arange(size) + 0.5) / size
    waves: Float32[np.ndarray, "8 size"] = np.cos(np.arange(8)[:, None] * places).astype(
        np.float32
    )
    return waves
