"""A tree of files in a folder."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trainables.error import InputError
from trainables.picture import EncodedFile
from trainables.sources.file_tree import HEAD_BYTES, FileTree


class FolderTree(FileTree):
    """The files below a folder; links are followed, but not in circles."""

    def __init__(self, folder: Path) -> None:
        """Lists the folder.

        Raises:
            InputError: a folder below it cannot be read.
        """
        self.folder = folder
        # A tree of a million files has no time for a path object each.
        self._prefix = os.path.join(folder, "")  # noqa: PTH118 - see above
        paths = sorted(_paths_below(folder))
        self.files = [path for path in paths if not path.endswith("/")]
        self.folders = [path.rstrip("/") for path in paths if path.endswith("/")]

    def __str__(self) -> str:
        return str(self.folder)

    def head(self, path: str) -> bytes:
        """See `FileTree`; of what is not a file, such as a pipe or a dangling link, nothing."""
        if not os.path.isfile(self.place(path)):  # noqa: PTH113 - see `__init__`
            return b""
        try:
            with open(self.place(path), "rb") as file:  # noqa: PTH123 - see `__init__`
                return file.read(HEAD_BYTES)
        except OSError as error:
            raise _unreadable(self.place(path), error) from error

    def content(self, path: str) -> EncodedFile:
        """See `FileTree`."""
        return EncodedFile(self._prefix + path)

    def text(self, path: str) -> str:
        """See `FileTree`."""
        try:
            return (self.folder / path).read_text("utf-8-sig", "replace")
        except OSError as error:
            raise _unreadable(self.place(path), error) from error

    def place(self, path: str) -> str:
        """See `FileTree`."""
        return self._prefix + path

    def identity(self, paths: Iterable[str]) -> Any:
        """Paths, sizes and times."""
        stats = [(path, os.stat(self._prefix + path)) for path in paths]  # noqa: PTH116 - see `__init__`
        return [
            str(self.folder.resolve()),
            [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats],
        ]


def _paths_below(folder: Path) -> Iterator[str]:
    """Files, and folders with a slash behind."""
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        here = Path(root)
        folders[:] = [name for name in folders if os.path.realpath(here / name) not in seen]
        seen |= {os.path.realpath(here / name) for name in folders}
        below = here.relative_to(folder).as_posix()
        prefix = "" if below == "." else below + "/"
        yield from (f"{prefix}{name}/" for name in folders)
        yield from (f"{prefix}{name}" for name in files)


def _refuse(error: OSError) -> None:
    raise _unreadable(error.filename, error) from error


def _unreadable(place: str, error: OSError) -> InputError:
    return InputError(f"{place} cannot be read: {error.strerror}")
