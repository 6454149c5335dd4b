"""What the paths of images say about them, in a folder or in a zip of one.

    train/cat/1.png  valid/cat/2.png  test/dog/3.png     split folders, class folders in each
    train/1.png      test/2.png                          split folders, no labels
    cat/1.png        dog/2.png                           class folders: the splits are drawn
    1.png            2.png                               neither

A folder that alone holds all of this is stepped into. Labels count the class names in order, by
value where all are numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainables.error import InputError
from trainables.sources.source import WHOLE

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
SPLIT_FOLDERS = {
    "train": "train", "valid": "validation", "val": "validation", "validation": "validation",
    "test": "test",
}  # fmt: skip
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One image of a tree; the label is -1 where there is none."""

    path: str
    split: str
    label: int


def leaves(paths: Iterable[str], place: str) -> list[Leaf]:
    """The images among some paths, in order; folders are the paths that end with a slash.

    Raises:
        InputError: no image among them, a folder without images, or no layout of those above.
    """
    shown = [path for path in paths if not _is_hidden(path)]
    images = sorted(_parts(p) for p in shown if p.lower().endswith(IMAGE_SUFFIXES))
    folders = {_parts(path) for path in shown if path.endswith("/")}
    folders |= {image[:end] for image in images for end in range(1, len(image))}
    if not images:
        raise InputError(f"{place} holds no images{_instead(shown)}")
    depth = _depth(images, folders)
    tops = _split_folders(images, folders, depth, place)
    inner = depth + 1 if tops else depth
    classes = _classes(images, folders, inner, place)
    return [
        Leaf(
            path="/".join(image),
            split=tops[image[depth]] if tops else WHOLE,
            label=classes[image[inner]] if len(image) > inner + 1 else -1,
        )
        for image in images
    ]


def _parts(path: str) -> Parts:
    return tuple(path.rstrip("/").split("/"))


def _is_hidden(path: str) -> bool:
    """What file managers leave behind, and what people hide."""
    return any(part.startswith(".") or part == "__MACOSX" for part in _parts(path))


def _instead(shown: Sequence[str]) -> str:
    ends = {"." + path.rpartition(".")[2] for path in shown if "." in path.rpartition("/")[2]}
    if not ends:
        return ""
    return f" ({', '.join(IMAGE_SUFFIXES)}): it has {', '.join(sorted(ends)[:5])}"


def _depth(images: Sequence[Parts], folders: set[Parts]) -> int:
    """How many folders that alone hold everything lie above the layout."""
    depth = 0
    while True:
        tops = {parts[depth] for parts in (*images, *folders) if len(parts) > depth}
        if len(tops) > 1 or any(len(image) == depth + 1 for image in images):
            return depth
        if next(iter(tops)).lower() in SPLIT_FOLDERS:
            return depth
        depth += 1


def _split_folders(
    images: Sequence[Parts], folders: set[Parts], depth: int, place: str
) -> dict[str, str]:
    """The split of each top folder; empty where there are no split folders."""
    tops = {folder[depth] for folder in folders if len(folder) > depth}
    splits = {
        top: SPLIT_FOLDERS[top.lower()] for top in sorted(tops) if top.lower() in SPLIT_FOLDERS
    }
    if not splits:
        return {}
    for image in images:
        if len(image) == depth + 1 or image[depth] not in splits:
            raise InputError(f"{place}: {'/'.join(image)} lies beside the folders of the splits")
    for split in ("train", "validation", "test"):
        named = [top for top, value in splits.items() if value == split]
        if len(named) > 1:
            raise InputError(f"{place} has {len(named)} folders for {split}: {', '.join(named)}")
        if not named and split != "validation":
            raise InputError(f"{place} has no folder {split} beside {', '.join(splits)}")
        if named and not any(image[depth] == named[0] for image in images):
            raise InputError(f"{place}: the folder {named[0]} holds no images")
    return splits


def _classes(
    images: Sequence[Parts], folders: set[Parts], inner: int, place: str
) -> dict[str, int]:
    """The label of each class folder; empty where images lie in none."""
    homes = {image[: inner + 1] for image in images if len(image) > inner + 1}
    for split in {home[:inner] for home in homes}:
        loose = [image for image in images if image[:inner] == split and len(image) == inner + 1]
        if loose:
            raise InputError(f"{place}: {'/'.join(loose[0])} lies beside class folders")
    for folder in sorted(folders):
        if len(folder) == inner + 1 and folder not in homes and homes:
            raise InputError(f"{place}: the class folder {'/'.join(folder)} holds no images")
    names = {home[inner] for home in homes}
    is_counted = all(name.isdecimal() for name in names)
    ordered = sorted(names, key=lambda name: (int(name) if is_counted else 0, name))
    return {name: label for label, name in enumerate(ordered)}
