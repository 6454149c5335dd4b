"""Images of another size: the shorter side resized, then the centre square cut out.

Bilinear with antialias (torch's, which is PIL's filter), computed in float64 and rounded once to
levels, so that machines agree on the result, and it stays within 0 … L-1.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from trainables.config import ImageFormat
from trainables.prepared_file import (
    PreparedDataset,
    Splits,
    alone,
    asides,
    digest,
    open_prepared,
    write_arrow,
)

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
    """Likewise of an array."""
    return np.concatenate(list(_resized_parts(images, size)))


def resized_fingerprint(fingerprint: str, size: int) -> str:
    """Of a data set after resizing; follows from that before and from how it is done."""
    return digest([fingerprint, RESIZE, size])


def prepare_resized(
    name: str, splits: Splits, image: ImageFormat, fingerprint: str, size: int, folder: Path
) -> PreparedDataset:
    """The file of a data set at another size; written unless it is there.

    Args:
        name: the data set's.
        splits: its images and labels before.
        image: what they look like before.
        fingerprint: theirs.
        size: of the images wanted.
        folder: where prepared files lie.

    Raises:
        InputError: the file is there, and damaged.
    """
    own = resized_fingerprint(fingerprint, size)
    path = folder / f"{name}@{size}-{own[:12]}.arrow"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / f".{path.stem}.lock"):
            if not path.is_file():
                wanted = image.model_copy(update={"size": size})
                identity = {"name": name, "fingerprint": own, "source": fingerprint}
                _write(path, splits, wanted, identity)
    return open_prepared(name, path)


def _write(path: Path, splits: Splits, wanted: ImageFormat, identity: dict[str, str]) -> None:
    content = {f"num_{split}": len(images) for split, (images, _) in splits.items()}
    metadata = identity | content | {"format": wanted.model_dump(), "resize": RESIZE}
    labels = np.concatenate([labels for _, labels in splits.values()])
    with asides(path.parent, path.stem) as (raw, arrow):
        with raw.open("wb") as file:
            for images, _ in splits.values():
                file.writelines(part.data for part in _resized_parts(images, wanted.size))
        write_arrow(arrow, raw, labels, wanted, metadata)
        arrow.replace(path)


def _resized_parts(
    images: UInt8[np.ndarray, "num channels height width"], size: int
) -> Iterator[UInt8[np.ndarray, "_ channels size size"]]:
    """A few images at a time, which may be mapped and more than memory holds."""
    for at in range(0, len(images), ROWS_AT_A_TIME):
        # A copy: torch takes no array that is read-only.
        part = torch.from_numpy(np.array(images[at : at + ROWS_AT_A_TIME]))
        yield np.ascontiguousarray(resized(part, size).numpy())
