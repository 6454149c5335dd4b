"""Where images come from: what every source offers to a preparation."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64
from PIL import Image

from trainables.picture import EncodedFile

# Of a source without splits: all three are drawn from it.
WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image as it comes: encoded, where such a file is, or opened already.

    The label is -1 where there is none.
    """

    data: bytes | EncodedFile | Image.Image | None
    label: int
    place: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that are not taken, all for one reason.

    Attributes:
        reason: why, as it is told: "no image (.txt)", "system file".
        num: how many files.
        example: the path of one of them.
        is_system: what systems and their programs leave behind; nobody misses it, so it does not
            count as a loss.
    """

    reason: str
    num: int
    example: str
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source was understood to hold; no image is decoded for it.

    Every file of the source is an image (a Parquet file holds many), is in `used`, or is counted
    in `left_out`.

    Attributes:
        splits: of each image train, validation, test or `WHOLE` (then of all), in the order of
            `Source.images`.
        labels: of each image its class, -1 where there is none; None where only the images tell.
        classes: names of the classes by label; empty where classes have no names.
        groups: of each image the name of what it belongs to; None where none was asked for.
        rules: which rule gave the splits, the labels and the groups, a sentence each.
        warnings: what a person should know before going on, a sentence each.
        used: files that told something about others, such as a partition.
        left_out: the files that are not taken.
    """

    splits: Sequence[str]
    labels: Int64[np.ndarray, " num"] | None = None
    classes: tuple[str, ...] = ()
    groups: Sequence[str] | None = None
    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class Source(ABC):
    """Images with their splits and labels, in an order that does not change."""

    @property
    @abstractmethod
    def identity(self) -> Any:
        """Plain values that differ where the images may differ; told without reading any."""

    @abstractmethod
    def reading(self) -> Reading:
        """What the source holds.

        Raises:
            InputError: the source cannot be read, or is laid out as nothing known.
        """

    @abstractmethod
    def images(self) -> Iterator[SourceImage]:
        """The images in the order of the reading.

        Raises:
            InputError: one cannot be read.
        """

    def close(self) -> None:  # noqa: B027 - most sources need nothing
        """Removes what only the reading needed."""
