"""A square of images as one PNG."""

import io
import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image

PIXELS_PER_IMAGE = 32
GAP = 2
BETWEEN = 96


def image_grid(
    images: UInt8[np.ndarray, "num channels height width"],
    num_levels: int,
    num_columns: int | None = None,
) -> bytes:
    """PNG of the images, row by row, enlarged by whole pixels.

    Args:
        images: values in 0 … num_levels - 1; one channel is grey, three are RGB.
        num_levels: the value num_levels - 1 becomes white.
        num_columns: images in a row; by default so many that the grid is nearly square.
    """
    num, channels, height, width = images.shape
    columns = num_columns or math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    levels = images.astype(np.float32) * (255 / (num_levels - 1))
    scale = max(1, PIXELS_PER_IMAGE // height)
    pixels = levels.round().astype(np.uint8).repeat(scale, axis=2).repeat(scale, axis=3)
    tall, wide = height * scale + GAP, width * scale + GAP
    grid = np.full((rows * columns, channels, tall, wide), BETWEEN, np.uint8)
    grid[:num, :, GAP:, GAP:] = pixels
    grid = grid.reshape(rows, columns, channels, tall, wide).transpose(0, 3, 1, 4, 2)
    flat = grid.reshape(rows * tall, columns * wide, channels)
    png = io.BytesIO()
    Image.fromarray(flat.squeeze(-1) if channels == 1 else flat).save(png, "PNG")
    return png.getvalue()
