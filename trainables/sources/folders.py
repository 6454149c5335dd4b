"""The folders above images, and where among them splits and classes lie."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trainables.error import InputError
from trainables.sources.class_folder import Classes
from trainables.sources.file_kind import ARCHIVE_SUFFIXES, ending
from trainables.sources.split_word import split_of_word, splits_of_tokens

# What folders beside the images are called, that hold texts about them.
ABOUT_FOLDERS = {
    "anno", "annotation", "annotations", "doc", "docs", "eval", "imagesets", "label", "labels",
    "list", "lists", "meta", "metadata", "split", "splits",
}  # fmt: skip
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths below a source.

    Attributes:
        images: in order.
        folders: all folders that are not a system's, those without images among them.
        place: the source, as messages name it.
    """

    images: Sequence[str]
    folders: Collection[str]
    place: str


class Folders:
    """The folders above each image, and what their names say.

    Attributes:
        warnings: what a person should know about names that were looked at, a sentence each.
    """

    def __init__(self, paths: Paths) -> None:
        """Parts the paths."""
        self.place = paths.place
        self.images = [tuple(path.split("/")) for path in paths.images]
        self.folders = sorted({tuple(path.split("/")) for path in paths.folders})
        self.full = {image[:end] for image in self.images for end in range(1, len(image))}
        self.depth = 0
        self.warnings: list[str] = []

    def step_down(self, *, keeps_splits: bool) -> None:
        """Goes below folders that alone hold everything."""
        while True:
            tops = {parts[self.depth] for parts in self._shown() if len(parts) > self.depth}
            if len(tops) > 1 or any(len(image) == self.depth + 1 for image in self.images):
                return
            if keeps_splits and split_of_word(next(iter(tops))):
                return
            self.depth += 1

    def split_level(self, *, is_asked: bool) -> int | None:
        """How deep the outermost folders lie that say a split; None where there are none.

        Args:
            is_asked: whether folders that say a split only in part are refused.

        Raises:
            InputError: they do; or images or further folders of one split lie beside them.
        """
        deepest = max(len(image) - 1 for image in self.images)
        for level in range(self.depth, deepest):
            names = self.names_at(level)
            if all(_split_of(name) for name in names) and self._is_level_of_splits(level):
                self._refuse_loose(level)
                self._refuse_twins(level)
                return level
            if not is_asked:
                return None
            self._ask(level, names)
        return None

    def names_at(self, level: int) -> list[str]:
        """The names of folders with images at a level, in order."""
        return sorted({image[level] for image in self.images if len(image) > level + 1})

    def splits_at(self, level: int) -> list[str]:
        """The split of each image by the folder at a level."""
        return [_split_of(image[level]) or "" for image in self.images]

    def below(self, level: int | None) -> list[Parts]:
        """The folders of each image below its split."""
        first = self.depth if level is None else level + 1
        # As archives have it that were packed folder by folder: seg_train/seg_train/cat/1.png.
        if level is not None and all(image[level] == image[first] for image in self.images):
            first += 1
        return [image[first:-1] for image in self.images]

    def above(self, level: int | None) -> list[Parts]:
        """The folders of each image above its split."""
        return [image[self.depth : level] if level is not None else () for image in self.images]

    def refuse_empty(self, level: int | None, classes: Classes, *, is_asked: bool) -> None:
        """A folder without images beside others of its kind may be one that was lost.

        Raises:
            InputError: there is one.
        """
        for folder in self.folders:
            if folder in self.full or folder[: self.depth] != self.images[0][: self.depth]:
                continue
            at = len(folder) - 1
            tops = self.depth if level is None else level
            if is_asked and at == tops and split_of_word(folder[-1]):
                raise InputError(f"{self.place}: the folder {folder[-1]} holds no images")
            inner = self.depth if level is None else level + 1
            is_below = at == inner and (level is None or folder[:inner] in self.full)
            if classes.names and is_below and not _is_about(folder[-1]):
                text = "/".join(folder[self.depth :])
                raise InputError(f"{self.place}: the class folder {text} holds no images")

    def _shown(self) -> list[Parts]:
        """Images, and folders without any that are not about images."""
        empty = [
            folder
            for folder in self.folders
            if folder not in self.full and not any(map(_is_about, folder))
        ]
        return [*self.images, *empty]

    def _is_level_of_splits(self, level: int) -> bool:
        """Whether names with a token of a split are folders of splits: whole words always are."""
        names = self.names_at(level)
        has_word = any(split_of_word(name) for name in names)
        return has_word or len({_split_of(name) for name in names}) > 1

    def _refuse_loose(self, level: int) -> None:
        for image in self.images:
            if len(image) <= level + 1:
                raise InputError(
                    f"{self.place}: {'/'.join(image)} lies beside the folders of the splits"
                )

    def _refuse_twins(self, level: int) -> None:
        found: dict[tuple[Parts, str], set[str]] = {}
        for image in self.images:
            key = image[:level], _split_of(image[level]) or ""
            found.setdefault(key, set()).add(image[level])
        for (_, split), names in sorted(found.items()):
            if len(names) > 1:
                raise InputError(
                    f"{self.place} has {len(names)} folders for {split}: {listed(names)}"
                )

    def _ask(self, level: int, names: list[str]) -> None:
        """Refuses folders that look like splits, where not all of their level do."""
        words = {name for name in names if split_of_word(name)}
        tokens = {name: split for name in names if (split := _split_of(name))}
        if words or len(set(tokens.values())) > 1:
            self._ask_about(level, sorted(words or tokens), names)
        for name in sorted(name for name in names if splits_of_tokens(name)):
            self.warnings.append(f"the folder {name} is taken for a class, not for a split")

    def _ask_about(self, level: int, like: list[str], names: list[str]) -> None:
        stray = next(
            image for image in self.images if len(image) <= level + 1 or image[level] not in like
        )
        others = sorted(set(names) - set(like))
        beside = f"the folders {listed(others)}" if others else f"{'/'.join(stray)}"
        if len({split_of_word(name) for name in like}) > 1 and level == self.depth:
            text = f"{'/'.join(stray)} lies beside the folders of the splits {listed(like)}"
        else:
            text = f"{listed(like)} looks like a split, but lies beside {beside}"
        raise InputError(
            f"{self.place}: {text}; are these splits or classes? Give splits one by one, with"
            " --source train=PATH --source test=PATH, or classes with --source train=PATH"
            " --test-share 0.1: every folder below such a PATH is a class"
        )


def _is_about(name: str) -> bool:
    """Whether a folder without images is none of a class: texts, or parts of an archive."""
    return name.casefold() in ABOUT_FOLDERS or ending(name) in ARCHIVE_SUFFIXES


def _split_of(name: str) -> str | None:
    """The split that a folder's name says: as a word, or by its one token of a split."""
    if word := split_of_word(name):
        return word
    tokens = splits_of_tokens(name)
    return tokens[0] if len(tokens) == 1 else None


def listed(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    ordered = sorted(names)
    shown = ", ".join(itertools.islice(ordered, 6))
    return shown + (f" and {len(ordered) - 6} more" if len(ordered) > 6 else "")
