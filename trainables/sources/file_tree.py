"""A tree of files as sources see it, whether it lies in a folder or in a zip."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from trainables.picture import EncodedFile

# Enough of a file to tell an image from a text.
HEAD_BYTES = 64


class FileTree(ABC):
    """Files by their paths below the root, with / between the names, in order.

    Attributes:
        files: every file.
        folders: every folder.
    """

    files: Sequence[str]
    folders: Sequence[str]

    @abstractmethod
    def __str__(self) -> str:
        """Where the tree lies, as messages name it."""

    @abstractmethod
    def head(self, path: str) -> bytes:
        """The first `HEAD_BYTES` bytes of a file.

        Raises:
            InputError: it cannot be read, like all that follow.
        """

    @abstractmethod
    def content(self, path: str) -> bytes | EncodedFile:
        """A file's bytes, or where they are."""

    @abstractmethod
    def text(self, path: str) -> str:
        """A file as text; bytes that are no UTF-8 are replaced."""

    @abstractmethod
    def place(self, path: str) -> str:
        """A file, as messages name it."""

    def close(self) -> None:  # noqa: B027 - a folder has nothing to close
        """Lets go of a file that is open."""

    @abstractmethod
    def identity(self, paths: Iterable[str]) -> Any:
        """Plain values that differ where some files differ; none is read for it."""
