"""Which images a trial sees."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from trainables.config.base import Frozen, Slug


class ImageFormat(Frozen):
    """What every image of a data set looks like: uint8 values in 0 … num_levels - 1."""

    channels: Annotated[int, Field(ge=1, le=4)]
    size: Annotated[int, Field(ge=4, le=1024)]
    num_levels: Annotated[int, Field(ge=2, le=256)] = 256

    @property
    def num_dimensions(self) -> int:
        """D, the number of values in one image."""
        return self.channels * self.size**2


KNOWN_FORMATS = {
    "digits": ImageFormat(channels=1, size=8, num_levels=17),
    "cifar10": ImageFormat(channels=3, size=32),
    "celeba": ImageFormat(channels=3, size=64),
    "svhn": ImageFormat(channels=3, size=32),
    "mnist": ImageFormat(channels=1, size=28),
    "fashion_mnist": ImageFormat(channels=1, size=28),
}


class DataConfig(Frozen):
    """Which images a trial sees, and how.

    `num_images` takes a fixed, seeded subset of the whole set, the same share of each split.
    `resize` brings the shorter side to this many pixels and cuts out the centre square; `format`
    is that of the images then. `dequantise` adds uniform noise within each level, so that images
    have a density; without it every value is the centre of its level. `flip` mirrors training
    images left to right at random, and never those of validation and test. `fingerprint`, where
    given, must be that of the data found.
    """

    dataset: Slug
    format: ImageFormat
    num_images: PositiveInt | None = None
    resize: Literal[32, 64] | None = None
    dequantise: bool = True
    flip: bool = False
    split_seed: int = 0
    fingerprint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_format(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("format") is None:
            known = KNOWN_FORMATS.get(values.get("dataset", ""))
            if known is not None:
                return {**values, "format": _resized(known, values.get("resize"))}
        return values

    @model_validator(mode="after")
    def _format_is_that_after_resizing(self) -> "DataConfig":
        if self.resize not in (None, self.format.size):
            raise ValueError(
                f"data.format is that of the images after data.resize, so its size needs to be"
                f" {self.resize}, got {self.format.size}"
            )
        return self


def _resized(known: ImageFormat, size: Any) -> ImageFormat:
    return known.model_copy(update={"size": size}) if size in (32, 64) else known
