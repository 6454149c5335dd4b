"""What the paths of images say about their splits and classes; one table of rules.

The first rule that fits decides about the splits:

    a partition file         `trainables.sources.partition`; folders only say the classes then
    split folders            the outermost folders whose names are words of a split, or hold one as
                             a whole token if all folders of their level do: train/, test/,
                             train2017/, seg_test/
    prefixes                 the first token of every file's name: train_1.png, test-2.png
    none of these            the splits are cut from all images

and then about the classes:

    class folders            the first folder below the split; images/ and the like is none
    folders above the splits cat/train/1.png, where nothing lies below
    none of these            no classes

Words of splits below a split folder name classes. Folders that alone hold everything are stepped
into. What fits a rule in part is refused with a sentence that asks.
"""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trainables.count import plural
from trainables.error import InputError
from trainables.sources.class_folder import Classes, class_folders
from trainables.sources.file_kind import ARCHIVE_SUFFIXES, ending
from trainables.sources.partition import Partition
from trainables.sources.source import WHOLE
from trainables.sources.split_word import split_of_word, splits_of_tokens

# What folders beside the images are called, that hold texts about them.
ABOUT_FOLDERS = {
    "anno", "annotation", "annotations", "doc", "docs", "eval", "imagesets", "label", "labels",
    "list", "lists", "meta", "metadata", "split", "splits",
}  # fmt: skip
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What paths say, image by image, by which rules and which files beside them."""

    splits: list[str]
    classes: Classes
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    used: tuple[str, ...]


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


def read_layout(
    paths: Paths, partition: Partition | None = None, *, is_one_split: bool = False
) -> Layout:
    """What paths say.

    Args:
        paths: see there.
        partition: the splits that a file says.
        is_one_split: whether somebody said that all images are of one split.

    Raises:
        InputError: they look like a layout and are none.
    """
    is_asked = partition is None and not is_one_split
    tree = _Tree(paths)
    tree.step_down(keeps_splits=is_asked)
    level = tree.split_level(is_asked=is_asked)
    if level is not None and is_one_split:
        raise InputError(
            f"{paths.place} is said to be one split, and holds folders of several:"
            f" {_listed(tree.names_at(level))}"
        )
    warnings, by_folder = list(tree.warnings), None
    if level is not None:
        by_folder = tree.splits_at(level)
    if partition is not None and _decides(partition, paths, by_folder):
        splits, rules = partition.of_all(paths.images, paths.place), [partition.rule]
        used = partition.files
        warnings += partition.warnings
    elif by_folder is not None and level is not None:
        splits, rules = by_folder, [f"splits: the folders {_listed(tree.names_at(level))}"]
        used = ()
    else:
        splits, rules = _by_prefix(tree, warnings, is_one_split=is_one_split)
        used = ()
    classes = class_folders(tree.below(level), tree.above(level), splits, paths.images)
    tree.refuse_empty(level, classes, is_asked=is_asked)
    warnings += classes.warnings
    return Layout(splits, classes, (*rules, *classes.rules), tuple(warnings), used)


class _Tree:
    """The folders above each image."""

    def __init__(self, paths: Paths) -> None:
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
        """How deep the outermost folders lie that say a split; None where there are none."""
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
        """A folder without images beside others of its kind may be one that was lost."""
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
                    f"{self.place} has {len(names)} folders for {split}: {_listed(names)}"
                )

    def _ask(self, level: int, names: list[str]) -> None:
        """Refuses folders that look like splits, where not all of their level do."""
        words = {name for name in names if split_of_word(name)}
        tokens = {name: splits for name in names if (splits := splits_of_tokens(name))}
        if words or len({split for splits in tokens.values() for split in splits}) > 1:
            self._ask_about(level, sorted(words or tokens), names)
        for name in sorted(tokens):
            self.warnings.append(f"the folder {name} is taken for a class, not for a split")

    def _ask_about(self, level: int, like: list[str], names: list[str]) -> None:
        stray = next(
            image for image in self.images if len(image) <= level + 1 or image[level] not in like
        )
        others = sorted(set(names) - set(like))
        beside = f"the folders {_listed(others)}" if others else f"{'/'.join(stray)}"
        if len({split_of_word(name) for name in like}) > 1 and level == self.depth:
            text = f"{'/'.join(stray)} lies beside the folders of the splits {_listed(like)}"
        else:
            text = f"{_listed(like)} looks like a split, but lies beside {beside}"
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


def _by_prefix(
    tree: _Tree, warnings: list[str], *, is_one_split: bool
) -> tuple[list[str], list[str]]:
    """The splits by the first tokens of the files' names, and the rule; `WHOLE` without such."""
    whole = [WHOLE] * len(tree.images)
    if is_one_split:
        return whole, []
    found = [_split_of_prefix(image[-1]) for image in tree.images]
    words = [split for split in found if split]
    if len(words) == len(found):
        return words, ["splits: the first word of every file's name"]
    if len(set(words)) > 1:
        example = next(i for i, split in enumerate(found) if split)
        warnings.append(
            f"{plural(len(words), 'name')} of {len(found):,} with the word of a split in front,"
            f" such as {'/'.join(tree.images[example])}; since not all do, this says no splits"
        )
    return whole, ["splits: none are told by folders, names or a partition file"]


def _split_of_prefix(name: str) -> str | None:
    first = re.match(r"[^\W\d_]+(?=[\W_])", name)
    return split_of_word(first[0]) if first else None


def _decides(partition: Partition, paths: Paths, by_folder: list[str] | None) -> bool:
    """Whether a partition says the splits: not if it names some images of split folders only."""
    for image, other in zip(paths.images, by_folder or (), strict=by_folder is not None):
        said = partition.splits.get(image, other)
        if said != other:
            raise InputError(
                f"{paths.place}: {', '.join(partition.files)} says {said} of {image}, and its"
                f" folder {other}; leave one of them out"
            )
    return by_folder is None or partition.is_complete(paths.images)


def _listed(names: Collection[str]) -> str:
    ordered = sorted(names)
    shown = ", ".join(itertools.islice(ordered, 6))
    return shown + (f" and {len(ordered) - 6} more" if len(ordered) > 6 else "")
