"""One picture: decoded from bytes, and brought to the pixels that a prepared set holds.

A crop is a geometry for faces of 178 × 218 (CelebA), always to 64 × 64 in the end:

    reference   shorter side to 64, centre square             the paper's own code
    148, 140    centre square of so many pixels, then to 64    the usual ones elsewhere

Bilinear with antialias is PIL's filter and torchvision's on PIL images. No torch here.
"""

import io
import re
import struct
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from trainables.config import ImageFormat
from trainables.error import InputError

Crop = Literal["reference", "148", "140"]
RESIZE = "shorter side, bilinear with antialias, centre crop"


def resize_text(crop: Crop) -> str:
    """How pictures are brought to the wanted size, in the words that a fingerprint holds."""
    return RESIZE if crop == "reference" else f"centre square of {crop}, then {RESIZE}"


def decode(data: bytes | Image.Image | None, place: str) -> Image.Image:
    """The picture of encoded bytes, or of an image that may not have been read yet.

    Raises:
        InputError: it does not decode, or has more than eight bits a channel.
    """
    try:
        image = data if isinstance(data, Image.Image) else Image.open(io.BytesIO(data or b""))
        _check_depth(image, place)
        image.load()
    except InputError:
        raise
    except (
        UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError,
        struct.error, Image.DecompressionBombError,
    ) as error:  # fmt: skip
        raise InputError(f"{place} does not decode") from error
    return image


def format_of(image: Image.Image, place: str) -> ImageFormat:
    """What a square picture looks like.

    Raises:
        InputError: it is not square, or has fewer than 4 or more than 1024 pixels a side.
    """
    if image.width != image.height:
        raise InputError(f"{place} is {_size(image)}, and images need to be square")
    if not 4 <= image.width <= 1024:
        raise InputError(f"{place} is {_size(image)}, and a side needs 4 to 1024 pixels")
    return ImageFormat(channels=1 if image.mode in ("L", "1") else 3, size=image.width)


def fitted_pixels(
    image: Image.Image, wanted: ImageFormat, crop: Crop, place: str
) -> UInt8[np.ndarray, "channels height width"]:
    """Pixels of the picture at the wanted size, by way of a crop.

    Raises:
        InputError: it is smaller than the crop.
    """
    image = _in_colours_of(image, wanted)
    if crop != "reference":
        if min(image.size) < int(crop):
            raise InputError(f"{place} is {_size(image)}, too small for a crop of {crop} pixels")
        image = _centre_square(image, int(crop))
    if image.size != (wanted.size, wanted.size):
        scale = wanted.size / min(image.size)
        resized = (round(image.width * scale), round(image.height * scale))
        image = image.resize(resized, Image.Resampling.BILINEAR)
        image = _centre_square(image, wanted.size)
    return _pixels(image)


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
    return _pixels(_in_colours_of(image, wanted))


def _check_depth(image: Image.Image, place: str) -> None:
    """Refuses what PIL would cut down to eight bits in silence; the decoder's plan tells."""
    if image.mode.startswith(("I", "F")) or any(_is_deep(t) for t in getattr(image, "tile", ())):
        raise InputError(
            f"{place} has more than eight bits a channel, and 8-bit images are needed"
        )


def _is_deep(tile: tuple[object, ...]) -> bool:
    codec, plan = tile[0], tile[3]
    parts = plan if isinstance(plan, tuple) else (plan,)
    if str(codec).startswith("ppm"):
        return isinstance(parts[-1], int) and parts[-1] > 255
    return any(isinstance(part, str) and re.search(";16[BLN]", part) for part in parts)


def _in_colours_of(image: Image.Image, wanted: ImageFormat) -> Image.Image:
    # Before any resizing: PIL does not interpolate between the colours of a palette.
    return image.convert("L" if wanted.channels == 1 else "RGB")


def _centre_square(image: Image.Image, size: int) -> Image.Image:
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _pixels(image: Image.Image) -> UInt8[np.ndarray, "channels height width"]:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _size(image: Image.Image) -> str:
    return f"{image.width}×{image.height}"
