import io

import numpy as np
import pytest
from PIL import Image

from trainables.training.image_grid import BETWEEN, GAP, image_grid


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num", [1, 5, 64])
def test_every_image_stands_in_the_grid_with_its_brightness(channels: int, num: int) -> None:
    images = np.full((num, channels, 8, 8), 16, np.uint8)
    png = Image.open(io.BytesIO(image_grid(images, 17)))
    pixels = np.asarray(png)
    assert png.mode == ("L" if channels == 1 else "RGB")
    assert (pixels == 255).sum() == num * channels * 32 * 32
    assert pixels[:GAP].max() == BETWEEN


def test_small_images_are_enlarged_and_large_ones_are_not() -> None:
    small = Image.open(io.BytesIO(image_grid(np.zeros((4, 1, 8, 8), np.uint8), 17)))
    large = Image.open(io.BytesIO(image_grid(np.zeros((4, 3, 64, 64), np.uint8), 256)))
    assert small.size == (2 * (32 + GAP),) * 2
    assert large.size == (2 * (64 + GAP),) * 2
