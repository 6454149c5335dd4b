"""The splits of images by a file that lies beside them.

Two kinds are known, as txt, csv or tsv, wherever in the tree they lie:

    a table   a line an image, with its name and its split: `000001.jpg 0` (CelebA's
              list_eval_partition.txt), or columns such as `image_id,partition`. A split is a word,
              or 0, 1, 2 for train, validation, test where the file's name or the column's says
              that it is one
    lists     train.txt, val.txt, test.txt with the name of an image a line; without a list for
              train, the images of no list are train's

A file counts only if its lines name images. Names may come with folders or without, with the
file's ending or without.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from trainables.count import plural
from trainables.error import InputError
from trainables.sources.file_tree import FileTree
from trainables.sources.image_index import ImageIndex
from trainables.sources.split_word import split_of_word, splits_of_tokens
from trainables.sources.text_table import TextTable, read_table

NUMBERS = {"0": "train", "1": "validation", "2": "test"}
_PARTITION = {"partition", "partitions", "split", "splits"}
_SUBSET = {"set", "subset", "phase"}
LARGEST_NUM_TEXTS = 100


@dataclass(frozen=True, slots=True)
class Partition:
    """The split of images, and the files that say it.

    Attributes:
        splits: by image; images may be missing.
        files: what was read.
        rule: a sentence about them.
        warnings: what a person should know about them, a sentence each.
        rest: the split of the missing ones; None where nothing says it.
    """

    splits: dict[str, str]
    files: tuple[str, ...]
    rule: str
    warnings: tuple[str, ...] = ()
    rest: str | None = None

    def is_complete(self, images: Sequence[str]) -> bool:
        """Whether it says the split of every image by its name."""
        return all(image in self.splits for image in images)

    def of_all(self, images: Sequence[str], place: str) -> list[str]:
        """The split of each image.

        Raises:
            InputError: nothing says it.
        """
        missing = [image for image in images if image not in self.splits]
        if missing and self.rest is None:
            more = f" and of {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise InputError(
                f"{', '.join(self.files)} in {place} does not say the split of {missing[0]}{more}"
            )
        return [self.splits.get(image, self.rest or "") for image in images]


@dataclass(slots=True)
class _Found:
    """What one kind of file says so far."""

    splits: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    num_absent: int = 0
    is_more: bool = False

    def add(self, image: str, split: str, file: str) -> None:
        if self.splits.setdefault(image, split) != split:
            raise InputError(
                f"{image} is in {split} by {file}, and in {self.splits[image]} by another line of"
                f" {', '.join(dict.fromkeys((*self.files, file)))}"
            )

    def warnings(self) -> list[str]:
        found = []
        if self.num_absent:
            found.append(
                f"{plural(self.num_absent, 'line')} of {', '.join(self.files)} with names of"
                " images that are not here"
            )
        if self.is_more:
            found.append(
                f"{', '.join(self.files)} says more about the images than their splits, which is"
                " not read"
            )
        return found


def find_partition(
    tree: FileTree, texts: Sequence[str], images: Sequence[str]
) -> tuple[Partition | None, list[str]]:
    """The partition of a tree, if it has one; and warnings about files that look like one.

    Args:
        tree: where the files are.
        texts: those of them that may be a partition.
        images: the images.

    Raises:
        InputError: files contradict each other, or one says what is not a split.
    """
    index = ImageIndex(images)
    tables, lists, doubtful = _Found(), _Found(), list[str]()
    for path in _candidates(texts):
        table = read_table(tree.text(path), path)
        names = None if table is None else _name_column(table, index)
        if table is not None and names is not None:
            split = _split_column(table, names)
            if split is not None:
                _read_table(tree, table, names, split, index, tables)
                continue
            if said := _split_of_list(path):
                _read_list(table, names, said, index, lists)
                continue
        if _words_of(path) & _PARTITION:
            doubtful.append(
                f"{path} looks like a partition, but its lines do not give a split to names of"
                " images; it says nothing here"
            )
    found = tables if tables.splits else lists
    if not found.splits:
        return None, doubtful
    kind = "the partition" if found is tables else "the lists"
    has_rest = found is lists and "train" not in found.splits.values()
    return Partition(
        splits=found.splits,
        files=tuple(found.files),
        rule=f"splits: {kind} {', '.join(found.files)}",
        warnings=tuple(found.warnings()),
        rest="train" if has_rest else None,
    ), doubtful


def _candidates(texts: Sequence[str]) -> Sequence[str]:
    """The texts that are looked into: with a text for each image, only those whose names speak."""
    if len(texts) <= LARGEST_NUM_TEXTS:
        return texts
    speaking = _PARTITION | _SUBSET
    return [
        path
        for path in texts
        if _words_of(path) & speaking or splits_of_tokens(path.rpartition("/")[2])
    ]


def _name_column(table: TextTable, index: ImageIndex) -> int | None:
    """The column whose cells name images, by the first lines."""
    for at in range(table.num_columns):
        cells = table.column(at)
        if len(cells) == len(table.first) and all(index.is_like_name(cell) for cell in cells):
            return at
    return None


def _split_column(table: TextTable, names: int) -> int | None:
    """The column that says splits, by its name or by what it holds."""
    others = [at for at in range(table.num_columns) if at != names]
    named = dict(enumerate(_words(name) for name in table.header))
    # What calls itself a partition is held to it: anything else that it says is refused.
    for at in others:
        if named.get(at, set()) & _PARTITION and not splits_of_tokens(table.header[at]):
            return at
    says_so = _words_of(table.path)
    if says_so & _PARTITION and not _split_of_list(table.path) and len(others) == 1:
        return others[0]
    for at in others:
        cells = set(table.column(at))
        is_numbered = bool((named.get(at, set()) | says_so) & (_PARTITION | _SUBSET))
        if all(split_of_word(cell) or (is_numbered and cell in NUMBERS) for cell in cells):
            return at
    return None


def _words_of(path: str) -> set[str]:
    return _words(path.rpartition("/")[2])


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.casefold()))


def _read_table(
    tree: FileTree, table: TextTable, names: int, splits: int, index: ImageIndex, found: _Found
) -> None:
    found.files.append(table.path)
    found.is_more |= table.num_columns > 2
    for number, row in table.rows():
        said = row[splits] if len(row) > splits else ""
        split = NUMBERS.get(said) or split_of_word(said)
        if split is None or len(row) <= names:
            raise InputError(
                f"line {number} of {tree.place(table.path)} is not an image name with 0, 1 or 2"
                f" behind, nor with the word of a split: {' '.join(row)}"
            )
        _note(row[names], split, table.path, index, found)


def _read_list(table: TextTable, names: int, split: str, index: ImageIndex, found: _Found) -> None:
    found.files.append(table.path)
    found.is_more |= table.num_columns > 1
    for _, row in table.rows():
        if len(row) > names:
            _note(row[names], split, table.path, index, found)


def _note(name: str, split: str, file: str, index: ImageIndex, found: _Found) -> None:
    image = index.find(name, file)
    if image is None:
        found.num_absent += 1
    else:
        found.add(image, split, file)


def _split_of_list(path: str) -> str | None:
    """The split whose images a list names, by its name."""
    said = splits_of_tokens(path.rpartition("/")[2].rpartition(".")[0])
    return said[0] if len(said) == 1 else None
