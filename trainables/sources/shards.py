"""Where Parquet shards lie, and which split each is of.

    x_train.parquet  x_test.parquet                 the name says the split
    data/train-00000-of-00002.parquet               the same in a clone from Hugging Face
    cifar10/train/0000.parquet                      the outermost folder that says one does

A path that exists is a path; a pattern only where it is none. A folder is searched to its depths,
and all of its shards need to be of one set.
"""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainables.error import InputError
from trainables.sources.file_kind import ending, is_system
from trainables.sources.folder import FolderTree
from trainables.sources.sieve import SYSTEM, left_out_by_reason
from trainables.sources.source import WHOLE, LeftOut
from trainables.sources.split_word import split_of_word, splits_in, splits_of_tokens

_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})(.*)")


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a source.

    Attributes:
        paths: in order.
        splits: of each; `WHOLE` where somebody said that all are of one.
        rule: where the splits come from, a sentence.
        warnings: what a person should know, a sentence each.
        left_out: other files of the folder.
    """

    paths: tuple[Path, ...]
    splits: tuple[str, ...]
    rule: str
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def find_shards(where: str, *, is_one_split: bool = False) -> Shards:
    """The shards at a path, or of a pattern.

    Args:
        where: a file, a folder or a pattern.
        is_one_split: somebody said that all are of one split.

    Raises:
        InputError: there are none; one says no split, or two; they are of several sets; some of a
            numbered series are missing from a folder; or none is of train.
    """
    path = Path(where).expanduser()
    left_out: tuple[LeftOut, ...] = ()
    if path.is_dir():
        root, names, left_out = path, *_in_folder(path)
    elif path.exists():
        root, names = path.parent, [path.name]
    else:
        root, names = _matching(str(path))
    missing = _missing(names)
    if missing and path.is_dir():
        raise InputError(f"{where} lacks {missing[0]}, a shard of the series that is there")
    warnings = tuple(f"{name} is not among the shards that are given" for name in missing)
    paths = tuple(root / name for name in names)
    if is_one_split:
        return Shards(paths, (WHOLE,) * len(paths), "", warnings, left_out)
    splits = tuple(split_of(PurePosixPath(name)) for name in names)
    if path.is_dir():
        _refuse_several_sets(where, names, splits)
    if "train" not in splits:
        raise InputError(f"no file of {where!r} has 'train' in its name")
    return Shards(paths, splits, "splits: the names of the Parquet files", warnings, left_out)


def split_of(path: Path | PurePosixPath) -> str:
    """The split that a file's name says, else the outermost of its folders that says one.

    Args:
        path: below the source; folders above that are not asked.

    Raises:
        InputError: nothing says it, or two splits are said.
    """
    by_name = splits_in(path.name)
    if len(by_name) > 1:
        raise InputError(
            f"{path.name} says {' and '.join(by_name)}: its name needs only one of train, valid"
            " and test in it"
        )
    folders = () if path.is_absolute() else path.parts[:-1]
    said = [split for folder in folders if (split := _split_of_folder(folder))]
    if by_name and said and said[0] != by_name[0]:
        raise InputError(f"{path} says {by_name[0]} by its name and {said[0]} by its folder")
    if not by_name and not said:
        raise InputError(f"{path.name} says no split: its name needs train, valid or test in it")
    return (by_name or said)[0]


def _split_of_folder(name: str) -> str | None:
    tokens = splits_of_tokens(name)
    return split_of_word(name) or (tokens[0] if len(tokens) == 1 else None)


def _in_folder(folder: Path) -> tuple[list[str], tuple[LeftOut, ...]]:
    """The shards below a folder, and its other files."""
    shards, left = [], {}
    for path in FolderTree(folder).files:
        if is_system(path):
            left[path] = SYSTEM
        elif ending(path) == ".parquet":
            shards.append(path)
        else:
            left[path] = f"no Parquet file ({ending(path)})"
    if not shards:
        raise InputError(f"{folder} holds no images and no Parquet files")
    return shards, left_out_by_reason(left)


def _matching(pattern: str) -> tuple[Path, list[str]]:
    """The files of a pattern, below the folder above its first sign of one."""
    found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - the user's pattern may be absolute
    paths = [path for path in found if not path.is_dir()]
    if not paths:
        raise InputError(f"no file matches {pattern!r}")
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    root = Path(fixed if fixed.endswith("/") else fixed.rpartition("/")[0] or ".")
    if fixed.startswith("/") and root == Path():
        root = Path("/")
    return root, [path.relative_to(root).as_posix() for path in paths]


def _missing(names: Sequence[str]) -> list[str]:
    """The shards that series such as train-00000-of-00002 lack."""
    series: dict[tuple[str, str, str], set[int]] = {}
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            before, number, total, after = found.groups()
            series.setdefault((before, total, after), set()).add(int(number))
    return [
        f"{before}-{number:05}-of-{total}{after}"
        for (before, total, after), numbers in sorted(series.items())
        for number in range(int(total))
        if number not in numbers
    ]


def _refuse_several_sets(where: str, names: Sequence[str], splits: Sequence[str]) -> None:
    """Shards of one split by two names are two sets; Hugging Face calls them configurations."""
    sets: dict[str, dict[str, None]] = {}
    for name, split in zip(names, splits, strict=True):
        sets.setdefault(split, {})[_set_of(name)] = None
    several = next((list(found) for found in sets.values() if len(found) > 1), None)
    if several:
        raise InputError(
            f"{where} holds several sets: {', '.join(several)}; give one of them, by its folder or"
            f" by a pattern such as {where}/{several[0]}*"
        )


def _set_of(name: str) -> str:
    """What a shard's path says beside its split and its number."""
    *folders, file = name.split("/")
    at = next((i for i, folder in enumerate(folders) if _split_of_folder(folder)), len(folders))
    stem = re.sub(r"-\d{5}-of-\d{5}|[-_.]?\d+$", "", file.rpartition(".")[0])
    words = [word for word in re.split(r"[-_. ]+", stem) if word and not splits_in(word)]
    return "/".join([*folders[:at], "_".join(words)]).rstrip("/")
