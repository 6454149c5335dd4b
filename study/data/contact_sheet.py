"""A page of small pictures of each split with their classes, to be looked at before the work."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainables.data.plan import Plan
from trainables.data.prepared_file import SPLITS
from trainables.error import InputError
from trainables.file import write_atomically
from trainables.picture import decode, exact_pixels, fitted_pixels, without_alpha
from trainables.sources import SourceImage

SIDE = 8
NUM_SHOWN = SIDE * SIDE
# Pixels of one picture on the page, of the label below it, and between pictures.
PICTURE, LABEL, GAP = 72, 14, 6
TITLE = 26


def write_contact_sheet(plan: Plan, path: Path) -> None:
    """Writes 8 × 8 pictures of each split, as they will be stored, beside each other.

    Args:
        plan: with the images that it kept.
        path: the PNG to write.

    Raises:
        InputError: an image does not decode, or the PNG cannot be written.
    """
    column = SIDE * (PICTURE + GAP) + GAP
    height = TITLE + SIDE * (PICTURE + LABEL + GAP) + GAP
    page = Image.new("RGB", (len(SPLITS) * column + (len(SPLITS) - 1) * GAP, height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    title = ImageFont.load_default(14)
    shown = dict.fromkeys(SPLITS, 0)
    for split, num in plan.draw.counts.items():
        left = SPLITS.index(split) * (column + GAP) + GAP
        draw.text((left, 6), f"{split}: {num:,} images", "black", title)
    for split, image in plan.kept():
        at, shown[split] = shown[split], shown[split] + 1
        left = SPLITS.index(split) * (column + GAP) + GAP + at % SIDE * (PICTURE + GAP)
        top = TITLE + at // SIDE * (PICTURE + LABEL + GAP)
        page.paste(_picture(image, plan), (left, top))
        label = _label(image.label, plan)
        draw.text((left, top + PICTURE), _fitting(label, draw, font), "black", font)
    _save(page, path)


def _picture(image: SourceImage, plan: Plan) -> Image.Image:
    picture, _ = without_alpha(decode(image.data, image.place), plan.config.background)
    if plan.crop is None:
        pixels = exact_pixels(picture, plan.format, image.place)
    else:
        pixels = fitted_pixels(picture, plan.format, plan.crop, image.place)
    levels = pixels.astype(float) * 255 / (plan.format.num_levels - 1)
    values = np.rint(levels).astype(np.uint8).transpose(1, 2, 0)
    shown = Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)
    return shown.convert("RGB").resize((PICTURE, PICTURE), Image.Resampling.NEAREST)


def _label(label: int, plan: Plan) -> str:
    names = plan.reading.classes
    if label < 0:
        return "–"
    return names[label] if label < len(names) else str(label)


def _fitting(
    text: str, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    """The text, or what of it fits below a picture."""
    while draw.textlength(text, font) > PICTURE and len(text) > 1:
        text = text[:-2] + "…" if text.endswith("…") else text[:-1] + "…"
    return text


def _save(page: Image.Image, path: Path) -> None:
    file = io.BytesIO()
    page.save(file, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, file.getvalue())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"the contact sheet {path} cannot be written: {reason}") from error
