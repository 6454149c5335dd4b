"""All images at a path, whatever splits and classes they are of."""

from collections.abc import Iterator
from typing import Any

from trainables.sources.file_tree import FileTree
from trainables.sources.sieve import sift
from trainables.sources.source import WHOLE, Reading, Source, SourceImage


class LooseSource(Source):
    """The images in a tree of files, without labels."""

    def __init__(self, tree: FileTree) -> None:
        """Sorts the files.

        Raises:
            InputError: none is an image.
        """
        self.tree, self._sieve = tree, sift(tree)

    @property
    def identity(self) -> Any:
        """That of the images."""
        return self.tree.identity(self._sieve.images)

    def reading(self) -> Reading:
        """How many images there are, and which files are none."""
        num = len(self._sieve.images)
        return Reading([WHOLE] * num, left_out=self._sieve.left_out(()))

    def images(self) -> Iterator[SourceImage]:
        """In the order of their paths."""
        for path in self._sieve.images:
            yield SourceImage(self.tree.content(path), -1, self.tree.place(path))

    def close(self) -> None:
        """Closes a zip."""
        self.tree.close()
