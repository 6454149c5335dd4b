"""A zip of a folder of images, read where it lies; nothing is unpacked.

See `trainables.sources.tree` for how it may be laid out.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from trainables.error import InputError
from trainables.sources.source import Reading, Source, SourceImage
from trainables.sources.tree import leaves


class ZipSource(Source):
    """The image files in a zip."""

    def __init__(self, path: Path) -> None:
        """Reads the table of contents.

        Raises:
            InputError: it is no zip, names a place outside itself, or holds no images.
        """
        self.path = path
        names = _names(path)
        self._leaves = leaves(names, str(path))

    @property
    def identity(self) -> Any:
        """Path, size and time of the zip."""
        stat = self.path.stat()
        return [str(self.path.resolve()), stat.st_size, stat.st_mtime_ns]

    def reading(self) -> Reading:
        """The splits by their folders, where there are such."""
        return Reading([leaf.split for leaf in self._leaves])

    def images(self) -> Iterator[SourceImage]:
        """In the order of their paths."""
        with _opened(self.path) as archive:
            for leaf in self._leaves:
                place = f"{leaf.path} in {self.path}"
                yield SourceImage(_content(archive, leaf.path, place), leaf.label, place)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise InputError(f"{path} is no zip file, or is cut short") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _names(path: Path) -> list[str]:
    with _opened(path) as archive:
        names = archive.namelist()
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise InputError(f"{path} names a place outside itself: {name}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} holds {twice} twice")
    return names


def _content(archive: zipfile.ZipFile, name: str, place: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{place} is damaged") from error
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(f"{place} cannot be read: it is encrypted or packed unusually") from error
