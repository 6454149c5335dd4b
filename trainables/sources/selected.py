"""A source without some of its images."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trainables.sources.source import LeftOut, Reading, Source, SourceImage


class SelectedSource(Source):
    """All images of a source but those that cannot be taken."""

    def __init__(self, source: Source, broken: Mapping[int, str]) -> None:
        """The source, and by number in it the sentence about each image that is left out."""
        self.source, self.broken = source, broken

    def __str__(self) -> str:
        return str(self.source)

    @property
    def identity(self) -> Any:
        """That of the whole source: it says which images are broken, too."""
        return self.source.identity

    def reading(self) -> Reading:
        """That of the source, with the images left out."""
        whole = self.source.reading()
        kept = np.setdiff1d(np.arange(len(whole.splits)), list(self.broken))
        left = LeftOut("broken", len(self.broken), next(iter(self.broken.values())))
        return replace(
            whole,
            splits=np.asarray(whole.splits)[kept].tolist(),
            labels=None if whole.labels is None else whole.labels[kept],
            groups=None if whole.groups is None else np.asarray(whole.groups)[kept].tolist(),
            left_out=(*whole.left_out, left),
        )

    def images(self) -> Iterator[SourceImage]:
        """The others, in their order."""
        for number, image in enumerate(self.source.images()):
            if number not in self.broken:
                yield image

    def close(self) -> None:
        """Closes the source."""
        self.source.close()
