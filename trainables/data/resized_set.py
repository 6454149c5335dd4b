"""A data set at another size, kept as a prepared file of its own beside the first."""

from pathlib import Path

import numpy as np

from trainables.config import ImageFormat
from trainables.data.prepared_file import (
    PreparedDataset,
    Splits,
    alone,
    asides,
    digest,
    open_prepared,
    write_arrow,
)
from trainables.resize import RESIZE, resized_parts


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
                file.writelines(part.data for part in resized_parts(images, wanted.size))
        write_arrow(arrow, raw, labels, wanted, metadata)
        arrow.replace(path)
