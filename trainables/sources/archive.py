"""A tree of files in a zip, read where it lies; nothing is unpacked.

Names come as the systems wrote them: with backslashes (Windows), and as UTF-8 that is not marked
as such (macOS).
"""

import contextlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from trainables.error import InputError
from trainables.sources.file_tree import HEAD_BYTES, FileTree

_IS_UTF8 = 0x800


class ZipTree(FileTree):
    """The files in a zip."""

    def __init__(self, path: Path) -> None:
        """Reads the table of contents.

        Raises:
            InputError: it is not a zip, or names a place outside itself or a file twice.
        """
        self.path = path
        self._names = _names(self._archive, path)
        self.files = sorted(path for path in self._names if not path.endswith("/"))
        named = {path.rstrip("/") for path in self._names if path.endswith("/")}
        above = {str(up) for file in self.files for up in PurePosixPath(file).parents}
        self.folders = sorted((named | above) - {"."})

    def __str__(self) -> str:
        return str(self.path)

    def head(self, path: str) -> bytes:
        """See `FileTree`."""
        return self._read(path, HEAD_BYTES)

    def content(self, path: str) -> bytes:
        """See `FileTree`."""
        return self._read(path)

    def text(self, path: str) -> str:
        """See `FileTree`."""
        return self._read(path).decode("utf-8-sig", "replace")

    def place(self, path: str) -> str:
        """See `FileTree`."""
        return f"{path} in {self.path}"

    def identity(self, paths: Iterable[str]) -> Any:
        """Path, size and time of the zip."""
        stat = self.path.stat()
        return [str(self.path.resolve()), stat.st_size, stat.st_mtime_ns]

    def close(self) -> None:
        """Closes the file."""
        self._archive.close()

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise InputError(f"{self.path} is not a zip file, or is cut short") from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from error

    def _read(self, path: str, num_bytes: int = -1) -> bytes:
        place = self.place(path)
        try:
            with self._archive.open(self._names[path]) as file:
                return file.read(num_bytes)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise InputError(f"{place} is damaged") from error
        except (RuntimeError, NotImplementedError) as error:
            raise InputError(
                f"{place} cannot be read: it is encrypted or packed unusually"
            ) from error


def _names(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names as paths."""
    found = [(_path_of(entry), entry) for entry in archive.infolist()]
    for name, _ in found:
        is_absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive
        if is_absolute or ".." in PurePosixPath(name).parts:
            raise InputError(f"{path} names a place outside itself: {name}")
    most, count = Counter(name for name, _ in found).most_common(1)[0] if found else ("", 0)
    if count > 1:
        raise InputError(f"{path} holds {most} twice")
    return dict(found)


def _path_of(entry: zipfile.ZipInfo) -> str:
    name = entry.filename
    if not entry.flag_bits & _IS_UTF8:
        # Else it is what the standard says: code page 437, as the library read it.
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    return name.removeprefix("./") or name
