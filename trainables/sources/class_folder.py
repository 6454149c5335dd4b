"""Classes by the folders that images lie in.

Labels count the names in order, by value where all are numbers. One name in two Unicode forms is
one class; names that differ otherwise only by case, by spaces at an end or by leading zeros are
refused, since nobody can say whether they are one class or two.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainables.count import plural
from trainables.error import InputError

# Folders between a split and its classes, or below a class, that name neither.
WRAPPERS = {
    "data", "frames", "image", "images", "img", "imgs", "jpeg", "jpegimages", "jpg", "photos",
    "pictures", "pics", "png", "rgb",
}  # fmt: skip
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classes:
    """The class of each image.

    Attributes:
        labels: of each image, -1 where there is none.
        names: by label.
        rules: where they come from.
        warnings: what a person should know about them.
    """

    labels: list[int]
    names: tuple[str, ...]
    rules: tuple[str, ...]
    warnings: tuple[str, ...]


def class_folders(
    below: Sequence[Parts], above: Sequence[Parts], splits: Sequence[str], paths: Sequence[str]
) -> Classes:
    """The classes of images.

    Args:
        below: of each image the folders between its split and its file.
        above: of each image the folders above its split.
        splits: of each image.
        paths: of each image, for messages.

    Raises:
        InputError: some images of a split lie in class folders and others beside them; folders
            above and below the splits could both be classes; or two names are nearly one.
    """
    inner = _without_wrappers(below, splits)
    _refuse_loose(inner, splits, paths)
    if any(inner) and any(above):
        one = next(
            i for i, (low, high) in enumerate(zip(inner, above, strict=True)) if low and high
        )
        raise InputError(
            f"{paths[one]} lies below two folders that could be its class: {above[one][0]} above"
            f" the split and {inner[one][0]} below it; give one of the folders above as the source"
        )
    homes = inner if any(inner) else above
    written = [home[0] if home else None for home in homes]
    names = [None if name is None else unicodedata.normalize("NFC", name) for name in written]
    ordered = ordered_names({name for name in names if name is not None})
    numbers = {name: label for label, name in enumerate(ordered)}
    labels = [-1 if name is None else numbers[name] for name in names]
    where = "below the splits" if any(inner) else "above the splits"
    is_whole = len(set(splits)) == 1
    rules = [f"classes: the folders{'' if is_whole else f' {where}'}"] if ordered else []
    warnings = [
        *_merged(written),
        *_deeper(homes),
        *class_warnings(labels, ordered, splits),
    ]
    return Classes(labels, tuple(ordered), tuple(rules), tuple(warnings))


def ordered_names(names: set[str]) -> list[str]:
    """Names of classes in the order of their labels.

    Raises:
        InputError: two of them are nearly one.
    """
    is_counted = all(name.isdecimal() for name in names)
    seen: dict[str, str] = {}
    ordered = sorted(names, key=lambda name: (int(name) if is_counted else 0, name))
    for name in ordered:
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        key = str(int(key)) if key.isdecimal() else key
        if (other := seen.setdefault(key, name)) != name:
            raise InputError(
                f"the class folders {other!r} and {name!r} differ only by case, spaces, form or"
                " leading zeros; are they one class? Rename one of them"
            )
    return ordered


def class_warnings(
    labels: Sequence[int], names: Sequence[str], splits: Sequence[str]
) -> list[str]:
    """What is odd about classes across splits, a sentence each.

    Args:
        labels: of each image, -1 where there is none.
        names: by label; empty where classes have no names.
        splits: of each image.
    """
    inside: dict[str, set[int]] = {}
    num_without: Counter[str] = Counter()
    for label, split in zip(labels, splits, strict=True):
        inside.setdefault(split, set()).add(label)
        num_without[split] += label < 0
    if all(found == {-1} for found in inside.values()):
        return []
    odd = [
        f"{plural(num, 'image')} of {split} without a class"
        for split, num in num_without.items()
        if num
    ]
    train = inside.get("train", {-1})
    others = sorted(set().union(*inside.values()) - train - {-1})
    if others and train != {-1}:
        shown = ", ".join(names[label] if names else str(label) for label in others[:6])
        odd.append(f"no train image has the class {shown}{'…' if len(others) > 6 else ''}")
    return odd


def _without_wrappers(below: Sequence[Parts], splits: Sequence[str]) -> list[Parts]:
    """The folders without those that only hold the others of their split."""
    inner = list(below)
    for split in sorted(set(splits)):
        of_split = [at for at, one in enumerate(splits) if one == split]
        while True:
            tops = {inner[at][:1] for at in of_split}
            if len(tops) != 1 or not (top := next(iter(tops))) or not _is_wrapper(top[0]):
                break
            for at in of_split:
                inner[at] = inner[at][1:]
    return [_without_last_wrapper(parts) for parts in inner]


def _without_last_wrapper(parts: Parts) -> Parts:
    """Below a class, a folder of images is not a class of its own."""
    while len(parts) > 1 and _is_wrapper(parts[-1]):
        parts = parts[:-1]
    return parts


def _is_wrapper(name: str) -> bool:
    return name.casefold() in WRAPPERS


def _refuse_loose(inner: Sequence[Parts], splits: Sequence[str], paths: Sequence[str]) -> None:
    for split in sorted({split for split, parts in zip(splits, inner, strict=True) if parts}):
        for path, one, parts in zip(paths, splits, inner, strict=True):
            if one == split and not parts:
                raise InputError(f"{path} lies beside class folders")


def _merged(written: Sequence[str | None]) -> list[str]:
    forms: dict[str, set[str]] = {}
    for name in {name for name in written if name is not None}:
        forms.setdefault(unicodedata.normalize("NFC", name), set()).add(name)
    return [
        f"the class {name} is written in {len(several)} Unicode forms, which are taken as one"
        for name, several in sorted(forms.items())
        if len(several) > 1
    ]


def _deeper(homes: Sequence[Parts]) -> list[str]:
    deeper = sorted({"/".join(home) for home in homes if len(home) > 1})
    if not deeper:
        return []
    return [
        f"{len(deeper):,} folders below those of the classes are not told apart, such as"
        f" {deeper[0]}"
    ]
