"""A picture keeps its look on the way to pixels, or says what it lost."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainables.pictures import Pictures
from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.picture import (
    Header,
    decode,
    exact_pixels,
    fitted_pixels,
    header_of,
    opened,
    without_alpha,
)


def read_header(data: bytes) -> Header:
    with opened(data, "here") as picture:
        return header_of(picture, "here")


RGB8, GREY8 = ImageFormat(channels=3, size=8), ImageFormat(channels=1, size=8)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels_of(data: bytes, wanted: ImageFormat = RGB8) -> np.ndarray:
    picture, _ = without_alpha(decode(data, "here"), "white")
    return exact_pixels(picture, wanted, "here")


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_stands_as_the_camera_noted(turn: int, kind: str) -> None:
    upright = Image.new("RGB", (16, 8), (255, 255, 255))
    upright.paste((200, 0, 0), (0, 0, 8, 4))
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[turn]  # fmt: skip
    held = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(held, kind, exif=exif)
    header = read_header(data)
    assert (header.width, header.height, header.is_turned) == (16, 8, turn > 1)
    shown = np.asarray(decode(data, "here").convert("RGB")).astype(int)
    assert shown.shape == (8, 16, 3)
    assert np.abs(shown - np.asarray(upright)).max() < (90 if kind in ("JPEG", "WEBP") else 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_an_opaque_picture_loses_no_pixel_with_its_alpha(mode: str) -> None:
    grey = Pictures.picture(1, mode="L")
    image = grey.convert(mode)
    picture, is_transparent = without_alpha(decode(encoded(image), "here"), "black")
    assert not is_transparent
    np.testing.assert_array_equal(exact_pixels(picture, GREY8, "here")[0], np.asarray(grey))


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_the_background(background: Any, level: int, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (10, 10, 10, 255))
    image.paste((99, 99, 99, 0), (0, 0, 4, 8))
    picture, is_transparent = without_alpha(
        decode(encoded(image.convert(mode)), "here"), background
    )
    pixels = exact_pixels(picture, RGB8, "here")
    assert is_transparent
    assert (pixels[:, :, :4] == level).all()
    assert (pixels[:, :, 4:] == 10).all()


def test_a_colour_that_is_declared_transparent_shows_the_background() -> None:
    data = encoded(Image.new("RGB", (8, 8), (1, 2, 3)), transparency=(1, 2, 3))
    picture, is_transparent = without_alpha(decode(data, "here"), "white")
    assert is_transparent
    assert (np.asarray(picture) == 255).all()


def test_a_palette_is_resolved_into_its_colours() -> None:
    image = Image.new("RGB", (8, 8), (250, 10, 20))
    assert (pixels_of(encoded(image.quantize(4)))[:, 0, 0] == [250, 10, 20]).all()


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_is_taken_and_all_are_counted(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (level, level, level)) for level in (0, 200, 255)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert read_header(data).num_frames == 3
    assert (pixels_of(data) == 0).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_colours_of_print_become_those_of_a_screen(kind: str) -> None:
    data = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind)
    assert read_header(data).mode == "CMYK"
    red, green, blue = pixels_of(data)[:, 0, 0].astype(int)
    assert red > 200
    assert max(green, blue) < 60


def test_a_strip_takes_no_more_memory_than_its_middle() -> None:
    strip = Image.new("L", (6000, 2), 0)
    strip.paste(255, (2990, 0, 3010, 2))
    wanted = ImageFormat(channels=1, size=1024)
    assert (fitted_pixels(strip, wanted, "reference", "here") == 255).all()


def test_reading_a_header_decodes_nothing(tmp_path: Path) -> None:
    cut = Pictures.png(0, (64, 64))[:200]
    assert read_header(cut).width == 64
    with pytest.raises(InputError, match="here does not decode"):
        decode(cut, "here")
