"""Sets that torchvision downloads and checks: CIFAR-10, CelebA, SVHN, MNIST, Fashion-MNIST.

The archives lie beside the prepared files while they are read, and are removed after. Of SVHN,
train and test are taken; its half a million extra images are left out.
"""

import http.client
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.error import InputError
from trainables.sources.source import Reading, Source, SourceImage

_CLASSES = {
    "celeba": "CelebA",
    "cifar10": "CIFAR10",
    "fashion_mnist": "FashionMNIST",
    "mnist": "MNIST",
    "svhn": "SVHN",
}
DOWNLOADABLE = tuple(_CLASSES)
# What the classes call their splits; the others know train=True and train=False.
_SPLIT_WORDS = {
    "celeba": {"train": "train", "validation": "valid", "test": "test"},
    "svhn": {"train": "train", "test": "test"},
}
_OTHERS = "give the images with --source instead: a folder, a zip of one, or Parquet shards"
_HINTS = {
    "celeba": "Google Drive limits how often CelebA is fetched a day; wait, fetch"
    " img_align_celeba and list_eval_partition.txt by hand into one folder, or "
}


class DownloadSource(Source):
    """A set by name, fetched when its images are asked for."""

    def __init__(self, name: str, folder: Path) -> None:
        """Takes the set's name and the folder to download below; nothing is fetched yet."""
        assert name in _CLASSES
        self.name = name
        self._aside = folder / f".{name}.download"

    @property
    def identity(self) -> Any:
        """The name: torchvision holds checksums of everything it takes."""
        return ["torchvision", _CLASSES[self.name]]

    def reading(self) -> Reading:
        """The official splits."""
        return Reading(
            [split for split, images in self._parts.items() for _ in range(len(images))]
        )

    def images(self) -> Iterator[SourceImage]:
        """In the official order."""
        for split, images in self._parts.items():
            for number in range(len(images)):
                place = f"image {number} of {self.name}'s {split} part"
                image, label = self._item(images, number, place)
                yield SourceImage(image, -1 if label is None else int(label), place)

    def close(self) -> None:
        """Removes the download, also what a killed one left."""
        shutil.rmtree(self._aside, ignore_errors=True)

    @cached_property
    def _parts(self) -> dict[str, Any]:
        """The official splits as torchvision holds them."""
        self.close()
        try:
            return self._fetched()
        except (
            OSError, RuntimeError, ValueError, EOFError, http.client.HTTPException,
            tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile,
        ) as error:  # fmt: skip
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            hint = _HINTS.get(self.name, "")
            raise InputError(
                f"{self.name} could not be downloaded ({reason}); {hint}{_OTHERS}"
            ) from error

    def _fetched(self) -> dict[str, Any]:
        # Here, because it loads torch.
        import torchvision.datasets

        kind = getattr(torchvision.datasets, _CLASSES[self.name])
        self._aside.mkdir(parents=True)
        words = _SPLIT_WORDS.get(self.name)
        if words is None:
            return {
                split: kind(str(self._aside), train=split == "train", download=True)
                for split in ("train", "test")
            }
        # CelebA's forty attributes are no class.
        no_target: dict[str, list[str]] = {"target_type": []} if self.name == "celeba" else {}
        return {
            split: kind(str(self._aside), split=word, download=True, **no_target)
            for split, word in words.items()
        }

    def _item(self, images: Any, number: int, place: str) -> Any:
        try:
            return images[number]
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{place} does not decode") from error
