"""CelebA as it is fetched by hand: a folder with its images and its official partition.

list_eval_partition.txt      a line an image: 000001.jpg 0      (0 train, 1 valid, 2 test)
img_align_celeba/000001.jpg  the aligned images, unpacked
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.checkpoint import file_hash
from trainables.error import InputError
from trainables.sources.folder import FolderSource
from trainables.sources.tree import Leaf

PARTITION = "list_eval_partition.txt"
_SPLITS = {"0": "train", "1": "validation", "2": "test"}


class PartitionSource(FolderSource):
    """The image files below a folder, with the split of each by its name in a list."""

    @property
    def identity(self) -> Any:
        """That of the folder, and the list's content."""
        return [super().identity, file_hash(self.folder / PARTITION)]

    @cached_property
    def _leaves(self) -> list[Leaf]:
        splits = _read(self.folder / PARTITION)
        return [
            replace(leaf, split=_split(leaf, splits, self.folder), label=-1)
            for leaf in super()._leaves
        ]


def _read(path: Path) -> dict[str, str]:
    splits = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        match line.split():
            case [name, ("0" | "1" | "2") as part]:
                splits[name] = _SPLITS[part]
            case []:
                continue
            case _:
                raise InputError(f"line {number} of {path} is no image name with 0, 1 or 2 behind")
    return splits


def _split(leaf: Leaf, splits: dict[str, str], folder: Path) -> str:
    name = leaf.path.rpartition("/")[2]
    if name not in splits:
        raise InputError(f"{PARTITION} in {folder} does not say the split of {leaf.path}")
    return splits[name]
