"""Where images come from: what every source offers to a preparation, and the words of splits."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

# Of a source without splits: all three are drawn from it.
WHOLE = "whole"
# Where a name has several words, only those at the beginning of a word count: a `latest` is no
# `test`.
_SPLIT_PATTERNS = {"train": "train", "validation": "valid|val(?![a-z])", "test": "test"}


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image as it comes: encoded, or opened already; the label is -1 where there is none."""

    data: bytes | Image.Image | None
    label: int
    place: str


class Source(ABC):
    """Images with their splits and labels, in an order that does not change."""

    @property
    @abstractmethod
    def identity(self) -> Any:
        """Plain values that differ where the images may differ; told without reading any."""

    @abstractmethod
    def splits(self) -> list[str]:
        """The split of each image: train, validation or test; or `WHOLE` of all.

        Raises:
            InputError: the source cannot be read.
        """

    @abstractmethod
    def images(self) -> Iterator[SourceImage]:
        """The images in that order.

        Raises:
            InputError: one cannot be read.
        """

    def close(self) -> None:  # noqa: B027 - most sources need nothing
        """Removes what only the reading needed."""


def splits_in(name: str) -> list[str]:
    """The splits that a name speaks of.

    >>> splits_in("cifar10_TRAIN-00000.parquet"), splits_in("latest_valid"), splits_in("images")
    (['train'], ['validation'], [])
    """
    for start in ("(?<![a-z])", ""):
        found = [
            split
            for split, pattern in _SPLIT_PATTERNS.items()
            if re.search(f"{start}(?:{pattern})", name.lower())
        ]
        if found:
            return found
    return []
