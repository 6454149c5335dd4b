"""A folder of images, see `trainables.sources.tree` for how it may be laid out."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.error import InputError
from trainables.sources.source import Reading, Source, SourceImage
from trainables.sources.tree import IMAGE_SUFFIXES, Leaf, leaves


class FolderSource(Source):
    """The image files below a folder."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder; nothing is read yet."""
        self.folder = folder

    @property
    def identity(self) -> Any:
        """Paths, sizes and times of the images."""
        stats = [(leaf.path, (self.folder / leaf.path).stat()) for leaf in self._leaves]
        return [
            str(self.folder.resolve()),
            [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats],
        ]

    def reading(self) -> Reading:
        """The splits by their folders, where there are such."""
        return Reading([leaf.split for leaf in self._leaves])

    def images(self) -> Iterator[SourceImage]:
        """In the order of their paths."""
        for leaf in self._leaves:
            yield _image(self.folder / leaf.path, leaf.label)

    @cached_property
    def _leaves(self) -> list[Leaf]:
        return leaves(_paths_below(self.folder), str(self.folder))


def folder_images(folder: Path) -> Iterator[SourceImage]:
    """All image files below a folder, however it is laid out, without labels.

    Raises:
        InputError: one cannot be read.
    """
    paths = sorted(path for path in _paths_below(folder) if path.lower().endswith(IMAGE_SUFFIXES))
    return (_image(folder / path, -1) for path in paths)


def _image(path: Path, label: int) -> SourceImage:
    try:
        return SourceImage(path.read_bytes(), label, str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _paths_below(folder: Path) -> Iterator[str]:
    """Files, and folders with a slash behind; links are followed, but not in circles."""
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        here = Path(root)
        folders[:] = [name for name in folders if os.path.realpath(here / name) not in seen]
        seen |= {os.path.realpath(here / name) for name in folders}
        below = here.relative_to(folder)
        yield from ((below / name).as_posix() + "/" for name in folders)
        yield from ((below / name).as_posix() for name in files)


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename} cannot be read: {error.strerror}") from error
