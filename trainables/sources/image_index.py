"""Images of a tree, found by the names that texts give them."""

from collections.abc import Iterable

from trainables.error import InputError
from trainables.sources.file_kind import IMAGE_SUFFIXES


class ImageIndex:
    """Paths of images by the names of their files, with their endings and without."""

    def __init__(self, images: Iterable[str]) -> None:
        """Takes the paths."""
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for path in images:
            name = path.rpartition("/")[2]
            self._by_name.setdefault(name, []).append(path)
            self._by_stem.setdefault(_stem(name), []).append(path)

    def is_like_name(self, cell: str) -> bool:
        """Whether a cell names an image that is here, or looks as if it named another."""
        name = _normal(cell).rpartition("/")[2]
        is_file = name.lower().endswith(IMAGE_SUFFIXES)
        return is_file or name in self._by_name or name in self._by_stem

    def find(self, cell: str, file: str) -> str | None:
        """The image that a cell of a file names; None where it is not here.

        Raises:
            InputError: it names several.
        """
        wanted = _normal(cell)
        name = wanted.rpartition("/")[2]
        found = self._by_name.get(name) or self._by_stem.get(_stem(name)) or []
        if "/" in wanted and found:
            found = [path for path in found if _fits(path, wanted)]
        if len(found) > 1:
            raise InputError(
                f"{file} names {cell}, and that may be {found[0]} or {found[1]}; leave one of them"
                " out"
            )
        return found[0] if found else None


def _normal(cell: str) -> str:
    return cell.strip().replace("\\", "/").removeprefix("./").lstrip("/")


def _stem(name: str) -> str:
    stem, dot, end = name.rpartition(".")
    return stem if dot and f".{end.lower()}" in IMAGE_SUFFIXES else name


def _fits(path: str, wanted: str) -> bool:
    """Whether one is the end of the other, folder by folder, whatever the ending of the file."""
    ours, theirs = _folders_and_stem(path), _folders_and_stem(wanted)
    num = min(len(ours), len(theirs))
    return ours[-num:] == theirs[-num:]


def _folders_and_stem(path: str) -> list[str]:
    *folders, name = path.split("/")
    return [*folders, _stem(name)]
