"""Where the images of a set may come from, behind one interface; a kind of source a file."""

from collections.abc import Sequence
from pathlib import Path

from trainables.config import NO_LABEL, PreparationConfig
from trainables.error import InputError
from trainables.sources.archive import ZipTree
from trainables.sources.download import DOWNLOADABLE, DownloadSource
from trainables.sources.file_kind import ARCHIVE_SUFFIXES, ending, is_system
from trainables.sources.file_tree import FileTree
from trainables.sources.folder import FolderTree
from trainables.sources.joined import JoinedSource
from trainables.sources.loose import LooseSource
from trainables.sources.parquet import ParquetSource
from trainables.sources.selected import SelectedSource
from trainables.sources.sieve import is_image
from trainables.sources.source import WHOLE, LeftOut, Reading, Source, SourceImage
from trainables.sources.split_word import split_of_word
from trainables.sources.tree import TreeSource

__all__ = [
    "DOWNLOADABLE", "WHOLE", "LeftOut", "Reading", "SelectedSource", "Source", "SourceImage",
    "open_loose", "open_source", "open_sources", "split_and_path",
]  # fmt: skip


def open_sources(
    name: str,
    wheres: str | Sequence[str] | None,
    folder: Path,
    config: PreparationConfig | None = None,
) -> Source:
    """The source of a set, or several of one split each.

    Args:
        name: the set's.
        wheres: see `open_source`; several are written train=PATH, validation=PATH, test=PATH.
        folder: where prepared files lie; a download goes beside them.
        config: what a person said about labels and groups.

    Raises:
        InputError: see `open_source`; or several are not written so.
    """
    texts = [wheres] if isinstance(wheres, str) else list(wheres or ())
    if not texts:
        return open_source(name, None, folder, config)
    parts = [split_and_path(text) for text in texts]
    if len(parts) == 1 and parts[0][0] is None:
        return open_source(name, parts[0][1], folder, config)
    found: dict[str, Source] = {}
    for (split, path), text in zip(parts, texts, strict=True):
        if split is None:
            raise InputError(
                f"several sources are written train=PATH, validation=PATH and test=PATH, got"
                f" {text!r}"
            )
        if split in found:
            raise InputError(f"the source of {split} is given twice")
        found[split] = open_source(name, path, folder, config, is_one_split=True)
    return JoinedSource(found)


def open_source(
    name: str,
    where: str | None,
    folder: Path,
    config: PreparationConfig | None = None,
    *,
    is_one_split: bool = False,
) -> Source:
    """The source of a set.

    Args:
        name: the set's.
        where: a folder of images or of Parquet shards, a zip of images, or a glob of Parquet
            shards; None for torchvision's download.
        folder: where prepared files lie; a download goes beside them.
        config: what a person said about labels and groups.
        is_one_split: all images are of one split, so that every folder is a class.

    Raises:
        InputError: there is no such source, or it holds no images.
    """
    if where is None:
        if name not in DOWNLOADABLE:
            raise InputError(
                f"{name} needs --source with a folder of images, a zip of one, or"
                f" 'PATH/*.parquet'; only {', '.join(DOWNLOADABLE)} can be downloaded"
            )
        return DownloadSource(name, folder)
    path = Path(where).expanduser()
    tree = _tree(path)
    if tree is not None:
        return TreeSource(tree, config or PreparationConfig(), is_one_split=is_one_split)
    return ParquetSource(where, config, is_one_split=is_one_split)


def open_loose(where: str) -> Source:
    """All images at a path, whatever splits and classes they are of.

    Args:
        where: a folder of images or of Parquet shards, a zip of images, or a glob of shards.

    Raises:
        InputError: there is no such source, or it holds no images.
    """
    tree = _tree(Path(where).expanduser())
    if tree is not None:
        return LooseSource(tree)
    return ParquetSource(where, PreparationConfig(label=NO_LABEL), is_one_split=True)


def _tree(path: Path) -> FileTree | None:
    """The tree of files at a path; None where it is one of Parquet shards, or a pattern."""
    if path.is_dir():
        tree = FolderTree(path)
        return None if _has_only_shards(tree) else tree
    if path.suffix.lower() == ".zip":
        return ZipTree(path)
    if path.is_file() and ending(path.name) in ARCHIVE_SUFFIXES:
        raise InputError(f"{path} is an archive other than zip: unpack it and give the folder")
    if path.is_file() and path.suffix.lower() != ".parquet":
        raise InputError(f"{path} is not a folder, a zip file or a Parquet file")
    return None


def _has_only_shards(tree: FolderTree) -> bool:
    has_shards = any(ending(path) == ".parquet" and not is_system(path) for path in tree.files)
    return has_shards and not any(is_image(tree, path) for path in tree.files)


def split_and_path(text: str) -> tuple[str | None, str]:
    """The split and the path of `train=PATH`; of a path that exists as it is, no split."""
    word, equals, path = text.partition("=")
    split = split_of_word(word)
    if equals and split and path and not Path(text).expanduser().exists():
        return split, path
    return None, text
