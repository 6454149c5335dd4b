"""The images of a tree of files, with what their paths and the files beside them say."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from trainables.config import NO_LABEL, PreparationConfig
from trainables.sources.file_kind import is_system
from trainables.sources.file_tree import FileTree
from trainables.sources.folders import Paths
from trainables.sources.group import groups_of
from trainables.sources.layout import Layout, read_layout
from trainables.sources.partition import Partition, find_partition
from trainables.sources.sieve import Sieve, sift
from trainables.sources.source import Reading, Source, SourceImage


class TreeSource(Source):
    """The images in a folder or in a zip of one; see `trainables.sources.layout`."""

    def __init__(
        self, tree: FileTree, config: PreparationConfig, *, is_one_split: bool = False
    ) -> None:
        """The tree, and what a person said.

        Args:
            tree: where the files are.
            config: its label and group are used; `label: none` gives no image a class.
            is_one_split: all images are of one split, so that every folder is a class.

        Raises:
            InputError: the tree holds no images.
        """
        self.tree, self.config, self.is_one_split = tree, config, is_one_split
        self._sieve: Sieve = sift(tree)

    @property
    def identity(self) -> Any:
        """That of the images, and of the files that say their splits."""
        return self.tree.identity((*self._sieve.images, *self._layout.used))

    def reading(self) -> Reading:
        """See `Source`."""
        layout, images = self._layout, self._sieve.images
        has_classes = self.config.label != NO_LABEL
        return Reading(
            splits=layout.splits,
            labels=np.array(self._labels, np.int64),
            classes=layout.classes.names if has_classes else (),
            groups=groups_of(images, self.config.group) if self.config.group else None,
            rules=layout.rules,
            warnings=(*self._partition[1], *layout.warnings),
            used=layout.used,
            left_out=self._sieve.left_out(layout.used),
        )

    def images(self) -> Iterator[SourceImage]:
        """In the order of their paths."""
        for path, label in zip(self._sieve.images, self._labels, strict=True):
            yield SourceImage(self.tree.content(path), label, self.tree.place(path))

    def close(self) -> None:
        """Closes a zip."""
        self.tree.close()

    @property
    def _labels(self) -> list[int]:
        if self.config.label == NO_LABEL:
            return [-1] * len(self._sieve.images)
        return self._layout.classes.labels

    @cached_property
    def _layout(self) -> Layout:
        folders = [folder for folder in self.tree.folders if not is_system(f"{folder}/x")]
        paths = Paths(self._sieve.images, folders, str(self.tree))
        return read_layout(paths, self._partition[0], is_one_split=self.is_one_split)

    @cached_property
    def _partition(self) -> tuple[Partition | None, list[str]]:
        if self.is_one_split:
            return None, []
        return find_partition(self.tree, self._sieve.texts, self._sieve.images)
