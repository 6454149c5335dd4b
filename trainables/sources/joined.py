"""Several sources of one split each, as one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64

from trainables.error import InputError
from trainables.sources.class_folder import class_warnings, ordered_names
from trainables.sources.source import WHOLE, Reading, Source, SourceImage


class JoinedSource(Source):
    """The images of a source for each split; their classes are one by name."""

    def __init__(self, parts: Mapping[str, Source]) -> None:
        """The sources by split, in the order of their images."""
        self.parts = dict(parts)

    @property
    def identity(self) -> Any:
        """Those of the parts."""
        return [[split, part.identity] for split, part in self.parts.items()]

    def reading(self) -> Reading:
        """Those of the parts, one behind the other.

        Raises:
            InputError: a part holds several splits, or some have names of classes and others
                numbers.
        """
        readings = self._readings
        splits = [split for split, part in readings.items() for _ in part.splits]
        labels = self._labels()
        names = (
            self._names
            if all(part.classes or _is_bare(part) for part in readings.values())
            else ()
        )
        groups = [name for part in readings.values() for name in part.groups or ()]
        has_groups = all(part.groups is not None for part in readings.values())
        odd = [] if labels is None else class_warnings(labels.tolist(), names, splits)
        return Reading(
            splits=splits,
            labels=labels,
            classes=tuple(names),
            groups=groups if has_groups else None,
            rules=(
                f"splits: {', '.join(readings)} as they were given",
                *_each(readings, "rules"),
            ),
            warnings=(*_each(readings, "warnings"), *odd),
            used=tuple(file for part in readings.values() for file in part.used),
            left_out=tuple(left for part in readings.values() for left in part.left_out),
        )

    def images(self) -> Iterator[SourceImage]:
        """Those of the parts, one behind the other."""
        for split, part in self.parts.items():
            numbers = self._numbers(self._readings[split])
            for image in part.images():
                yield replace(image, label=numbers.get(image.label, image.label))

    def close(self) -> None:
        """Closes the parts."""
        for part in self.parts.values():
            part.close()

    @cached_property
    def _readings(self) -> dict[str, Reading]:
        readings = {split: part.reading() for split, part in self.parts.items()}
        for split, reading in readings.items():
            held = sorted(set(reading.splits) - {WHOLE})
            if len(held) > 1:
                raise InputError(
                    f"the source of {split} holds several splits itself: {', '.join(held)}"
                )
        named = [split for split, reading in readings.items() if reading.classes]
        bare = [
            split for split in readings if split not in named and not _is_bare(readings[split])
        ]
        if named and bare:
            raise InputError(
                f"the classes of {named[0]} have names, and those of {bare[0]} are numbers; which"
                " is which? Give both in one form, or --label none"
            )
        return readings

    @cached_property
    def _names(self) -> list[str]:
        """Names of all classes, in the order of their labels."""
        listed = [part.classes for part in self._readings.values() if part.classes]
        # Names that a file lists keep their order, where all parts agree on it.
        if listed and all(names == listed[0] for names in listed):
            return list(listed[0])
        return ordered_names({name for names in listed for name in names})

    def _numbers(self, part: Reading) -> dict[int, int]:
        """The label of each class of a part, by its label there."""
        if not part.classes:
            return {}
        places = {name: label for label, name in enumerate(self._names)}
        return {label: places[name] for label, name in enumerate(part.classes)}

    def _labels(self) -> Int64[np.ndarray, " num"] | None:
        found = []
        for part in self._readings.values():
            if part.labels is None:
                return None
            numbers = self._numbers(part)
            found += [numbers.get(label, label) for label in part.labels.tolist()]
        return np.array(found, np.int64)


def _is_bare(part: Reading) -> bool:
    """Whether no image of a part has a class."""
    return part.labels is not None and not (part.labels >= 0).any()


def _each(readings: Mapping[str, Reading], field: str) -> tuple[str, ...]:
    return tuple(
        f"{split}: {text}" for split, part in readings.items() for text in getattr(part, field)
    )
