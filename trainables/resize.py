"""Images of another size: the shorter side resized, then the centre square cut out.

Bilinear with antialias (torch's, which is PIL's filter), computed in float64 and rounded once to
levels, so that machines agree on the result, and it stays within 0 … L-1.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import interpolate

RESIZE = "shorter side, bilinear with antialias in float64, rounded to levels, centre crop"
ROWS_AT_A_TIME = 500


def resized(
    images: UInt8[Tensor, "num channels height width"], size: int
) -> UInt8[Tensor, "num channels size size"]:
    """Levels of the same images, `size` pixels wide and high."""
    height, width = images.shape[-2:]
    scale = size / min(height, width)
    shape = (round(height * scale), round(width * scale))
    pixels = interpolate(images.double(), shape, mode="bilinear", antialias=True).round()
    top, left = (shape[0] - size) // 2, (shape[1] - size) // 2
    return pixels[..., top : top + size, left : left + size].to(torch.uint8)


def resized_array(
    images: UInt8[np.ndarray, "num channels height width"], size: int
) -> UInt8[np.ndarray, "num channels size size"]:
    """The same of an array."""
    return np.concatenate(list(resized_parts(images, size)))


def resized_parts(
    images: UInt8[np.ndarray, "num channels height width"], size: int
) -> Iterator[UInt8[np.ndarray, "_ channels size size"]]:
    """A few images at a time, which may be mapped and more than memory holds."""
    for at in range(0, len(images), ROWS_AT_A_TIME):
        # A copy: torch takes no array that is read-only.
        part = torch.from_numpy(np.array(images[at : at + ROWS_AT_A_TIME]))
        yield np.ascontiguousarray(resized(part, size).numpy())
