"""Which files of a tree are images, which are texts that may say more, and which are left out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trainables.error import InputError
from trainables.sources.file_kind import (
    ARCHIVE_SUFFIXES,
    GIT_LFS,
    IMAGE_SUFFIXES,
    ending,
    image_kind,
    is_decodable,
    is_system,
)
from trainables.sources.file_tree import FileTree
from trainables.sources.source import LeftOut

TEXT_SUFFIXES = (".txt", ".csv", ".tsv")
SYSTEM = "system file"


@dataclass(frozen=True, slots=True)
class Sieve:
    """The files of a tree by what they are; every file is in one of these.

    Attributes:
        images: what is taken, in order.
        left: why each other file is not.
        texts: files among these that may tell something about the images.
    """

    images: tuple[str, ...]
    left: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """Texts, in order."""
        return [
            path
            for path, reason in self.left.items()
            if reason != SYSTEM and path.lower().endswith(TEXT_SUFFIXES)
        ]

    def left_out(self, used: Iterable[str]) -> tuple[LeftOut, ...]:
        """The files that are neither images nor used otherwise, by reason."""
        taken = set(used)
        return left_out_by_reason({k: v for k, v in self.left.items() if k not in taken})


def left_out_by_reason(left: Mapping[str, str]) -> tuple[LeftOut, ...]:
    """Files by why they are not taken, in order."""
    by_reason: dict[str, list[str]] = {}
    for path in sorted(left):
        by_reason.setdefault(left[path], []).append(path)
    return tuple(
        LeftOut(reason, len(paths), paths[0], is_system=reason == SYSTEM)
        for reason, paths in sorted(by_reason.items())
    )


def sift(tree: FileTree) -> Sieve:
    """Sorts the files of a tree.

    Raises:
        InputError: none is an image; the sentence says what there is instead.
    """
    images, left = [], {}
    for path in tree.files:
        reason = _reason(tree, path)
        if reason is None:
            images.append(path)
        else:
            left[path] = reason
    if not images:
        raise InputError(f"{tree} holds no images{_instead(tree, left)}")
    shards = [path for path in left if ending(path) == ".parquet" and left[path] != SYSTEM]
    if shards:
        raise InputError(
            f"{tree} holds images ({images[0]}) and Parquet files ({shards[0]}); give the folder"
            " of one of them"
        )
    return Sieve(tuple(images), left)


def is_image(tree: FileTree, path: str) -> bool:
    """Whether a file of a tree is taken as an image."""
    return _reason(tree, path) is None


def _reason(tree: FileTree, path: str) -> str | None:
    """Why a file is not taken; None for an image."""
    if is_system(path):
        return SYSTEM
    end = ending(path)
    if end in IMAGE_SUFFIXES:
        return None
    if end in ARCHIVE_SUFFIXES:
        return f"archive, not opened ({end})"
    if end == ".parquet":
        return "Parquet file"
    kind = image_kind(tree.head(path))
    if kind is None:
        return f"no known image format ({end})"
    return None if is_decodable(kind) else f"image in {kind}, which is not decoded here ({end})"


def _instead(tree: FileTree, left: dict[str, str]) -> str:
    seen = {path: reason for path, reason in left.items() if reason != SYSTEM}
    if not seen:
        return ""
    for path, reason in seen.items():
        if reason.startswith("archive"):
            return f", but archives such as {path}: unpack them first"
        if reason.startswith("image in"):
            return f" that can be decoded: {path} is an {reason.partition(',')[0]}"
        if reason == "Parquet file":
            return f", but Parquet files such as {path}: unpack the folder and give that"
        if tree.head(path).startswith(GIT_LFS):
            return f": {path} is a Git LFS pointer, and `git lfs pull` fetches the file"
    ends = sorted({ending(path) for path in seen})
    return f" ({', '.join(IMAGE_SUFFIXES)}): it has {', '.join(ends[:5])}"
