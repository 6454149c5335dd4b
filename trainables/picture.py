"""One picture: decoded from bytes, and brought to the pixels that a prepared set holds.

A crop is a geometry for faces of 178 × 218 (CelebA), always to 64 × 64 in the end:

    reference   shorter side to 64, centre square             the paper's own code
    148, 140    centre square of so many pixels, then to 64    the usual ones elsewhere

Bilinear with antialias is PIL's filter and torchvision's on PIL images. No torch here.
"""

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from trainables.config import ImageFormat
from trainables.error import InputError

Crop = Literal["reference", "148", "140"]
Background = Literal["white", "black"]
RESIZE = "shorter side, bilinear with antialias, centre crop"
GREY_MODES = ("1", "L", "LA", "La")
# Modes whose colours reach RGB by a formula, not as they are.
CONVERTED_MODES = ("CMYK", "YCbCr", "LAB", "HSV")
_ORIENTATION = 0x0112


def resize_text(crop: Crop) -> str:
    """How pictures are brought to the wanted size, in the words that a fingerprint holds."""
    return RESIZE if crop == "reference" else f"centre square of {crop}, then {RESIZE}"


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says about itself before its pixels are decoded.

    Attributes:
        width: in pixels, after the orientation that a camera noted is applied.
        height: in pixels, after that turn.
        mode: PIL's name for its channels.
        has_alpha: whether it may have transparent pixels.
        num_frames: of an animation or of a file with several pages.
        is_turned: whether a camera noted an orientation other than upright.
    """

    width: int
    height: int
    mode: str
    has_alpha: bool
    num_frames: int
    is_turned: bool

    @property
    def is_grey(self) -> bool:
        """Whether it has one channel beside alpha."""
        return self.mode in GREY_MODES

    @property
    def size_text(self) -> str:
        """Width by height."""
        return f"{self.width}×{self.height}"


class EncodedFile(NamedTuple):
    """A file that holds one encoded picture; of a million, each costs no more than its path."""

    path: str


Data = bytes | EncodedFile | Image.Image | None


@contextlib.contextmanager
def opened(data: Data, place: str) -> Iterator[Image.Image]:
    """The picture of encoded bytes, or of a file; its pixels not decoded yet.

    Raises:
        InputError: it is not a picture, cannot be read, or has more than eight bits a channel.
    """
    if isinstance(data, Image.Image):
        _check_depth(data, place)
        yield data
        return
    with contextlib.ExitStack() as stack:
        try:
            file = data.path if isinstance(data, EncodedFile) else io.BytesIO(data or b"")
            image = stack.enter_context(Image.open(file))
        except _DAMAGES as error:
            raise _refusal(data, place, error) from error
        _check_depth(image, place)
        yield image


def decode(data: Data, place: str) -> Image.Image:
    """The picture of encoded bytes, of a file, or of an image that may not have been read yet.

    Of several frames it is the first. It stands as the camera noted that it was held.

    Raises:
        InputError: it does not decode, cannot be read, or has more than eight bits a channel.
    """
    with opened(_read(data, place), place) as image:
        try:
            image.load()
            return ImageOps.exif_transpose(image) if _is_turned(image) else image
        except _DAMAGES as error:
            raise _refusal(data, place, error) from error


def header_of(image: Image.Image, place: str) -> Header:
    """What an opened picture says about itself.

    Raises:
        InputError: what it says about its frames or its orientation is damaged.
    """
    try:
        turn = _orientation(image)
        num_frames = getattr(image, "n_frames", 1)
    except _DAMAGES as error:
        raise InputError(f"{place} does not decode") from error
    # Of TIFF, Pillow tells the size after the turn already.
    is_swapped = turn >= 5 and image.format != "TIFF"
    width, height = image.size[::-1] if is_swapped else image.size
    return Header(width, height, image.mode, _has_alpha(image), num_frames, turn > 1)


def without_alpha(image: Image.Image, background: Background) -> tuple[Image.Image, bool]:
    """The picture laid over a background, and whether any pixel of it was transparent.

    A palette is resolved into its colours.
    """
    with_alpha = image.convert("RGBA") if _has_alpha(image) else None
    if with_alpha is None or with_alpha.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB") if image.mode in ("P", "PA") else image, False
    below = Image.new("RGBA", image.size, background)
    laid = Image.alpha_composite(below, with_alpha)
    return laid.convert("L" if image.mode in GREY_MODES else "RGB"), True


def pixels_of(
    image: Image.Image, wanted: ImageFormat, crop: Crop | None, place: str
) -> UInt8[np.ndarray, "channels height width"]:
    """Pixels of the picture at the wanted size; without a crop it needs to have that already.

    Raises:
        InputError: it has another size, or is too small for the crop.
    """
    if crop is None:
        return exact_pixels(image, wanted, place)
    return fitted_pixels(image, wanted, crop, place)


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
        image = _middle_of_strip(image)
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


# What Pillow raises for a file that is damaged, by its formats' plugins.
_DAMAGES = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError,
    TypeError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
_GIT_LFS = b"version https://git-lfs"
# A strip of photos glued together would be resized to a picture of a thousand megapixels.
_LONGEST_STRIP = 16


def _refusal(data: Data, place: str, error: Exception) -> InputError:
    """What is wrong with a picture, in a sentence."""
    if isinstance(error, OSError) and error.errno is not None:
        return InputError(f"{place} cannot be read: {error.strerror}")
    if _head(data).startswith(_GIT_LFS):
        return InputError(
            f"{place} does not decode: it is a Git LFS pointer; `git lfs pull` fetches the file"
        )
    return InputError(f"{place} does not decode")


def _read(data: Data, place: str) -> Data:
    """A file as bytes, in one go: a picture is decoded by many small steps through it."""
    try:
        return Path(data.path).read_bytes() if isinstance(data, EncodedFile) else data
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}") from error


def _head(data: Data) -> bytes:
    if isinstance(data, EncodedFile):
        with Path(data.path).open("rb") as file:
            return file.read(len(_GIT_LFS))
    return data if isinstance(data, bytes) else b""


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


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _is_turned(image: Image.Image) -> bool:
    return _orientation(image) > 1


def _orientation(image: Image.Image) -> int:
    """As EXIF counts them: 1 is upright, from 5 on width and height change places."""
    # TIFF keeps it among its own tags; other formats say in `info` that there is EXIF, which
    # `getexif` would look for by reading the whole picture.
    if image.format != "TIFF" and not {"exif", "xmp", "Raw profile type exif"} & set(image.info):
        return 1
    turn = image.getexif().get(_ORIENTATION, 1)
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _in_colours_of(image: Image.Image, wanted: ImageFormat) -> Image.Image:
    # Before any resizing: PIL does not interpolate between the colours of a palette.
    return image.convert("L" if wanted.channels == 1 else "RGB")


def _middle_of_strip(image: Image.Image) -> Image.Image:
    """The picture, or the middle of one that is far longer than wide."""
    longest = _LONGEST_STRIP * min(image.size)
    if max(image.size) <= longest:
        return image
    width, height = min(image.width, longest), min(image.height, longest)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _centre_square(image: Image.Image, size: int) -> Image.Image:
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _pixels(image: Image.Image) -> UInt8[np.ndarray, "channels height width"]:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _size(image: Image.Image) -> str:
    return f"{image.width}×{image.height}"
