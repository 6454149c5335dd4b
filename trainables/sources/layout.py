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

import re
from dataclasses import dataclass

from trainables.count import plural
from trainables.error import InputError
from trainables.sources.class_folder import Classes, class_folders
from trainables.sources.folders import Folders, Paths, listed
from trainables.sources.partition import Partition
from trainables.sources.source import WHOLE
from trainables.sources.split_word import split_of_word


@dataclass(frozen=True, slots=True)
class Layout:
    """What paths say, image by image, by which rules and which files beside them."""

    splits: list[str]
    classes: Classes
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    used: tuple[str, ...]


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
    tree = Folders(paths)
    tree.step_down(keeps_splits=is_asked)
    level = tree.split_level(is_asked=is_asked)
    if level is not None and is_one_split:
        raise InputError(
            f"{paths.place} is said to be one split, and holds folders of several:"
            f" {listed(tree.names_at(level))}"
        )
    warnings, by_folder = list(tree.warnings), None
    if level is not None:
        by_folder = tree.splits_at(level)
    if partition is not None and _decides(partition, paths, by_folder):
        splits, rules = partition.of_all(paths.images, paths.place), [partition.rule]
        used = partition.files
        warnings += partition.warnings
    elif by_folder is not None and level is not None:
        splits, rules = by_folder, [f"splits: the folders {listed(tree.names_at(level))}"]
        used = ()
    else:
        splits, rules = _by_prefix(tree, warnings, is_one_split=is_one_split)
        used = ()
    classes = class_folders(tree.below(level), tree.above(level), splits, paths.images)
    tree.refuse_empty(level, classes, is_asked=is_asked)
    warnings += classes.warnings
    return Layout(splits, classes, (*rules, *classes.rules), tuple(warnings), used)


def _by_prefix(
    tree: Folders, warnings: list[str], *, is_one_split: bool
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
