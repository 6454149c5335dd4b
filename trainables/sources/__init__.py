"""Where the images of a set may come from, behind one interface; a kind of source a file."""

from pathlib import Path

from trainables.config import PreparationConfig
from trainables.error import InputError
from trainables.sources.archive import ZipSource
from trainables.sources.download import DOWNLOADABLE, DownloadSource
from trainables.sources.folder import FolderSource, folder_images
from trainables.sources.parquet import ParquetSource, shard_images
from trainables.sources.partition import PARTITION, PartitionSource
from trainables.sources.source import WHOLE, LeftOut, Reading, Source, SourceImage

__all__ = [
    "DOWNLOADABLE", "WHOLE", "LeftOut", "Reading", "Source", "SourceImage", "folder_images",
    "open_source", "shard_images",
]  # fmt: skip


def open_source(
    name: str, where: str | None, folder: Path, config: PreparationConfig | None = None
) -> Source:
    """The source of a set.

    Args:
        name: the set's.
        where: a folder of images (CelebA's with its partition) or of Parquet shards, a zip, or a
            glob of Parquet shards; None for torchvision's download.
        folder: where prepared files lie; a download goes beside them.
        config: what a person said about labels and groups.

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
    if path.is_dir():
        return _of_folder(path)
    if path.suffix.lower() == ".zip":
        return ZipSource(path)
    if path.is_file() and path.suffix.lower() != ".parquet":
        raise InputError(f"{path} is no folder, no zip file and no Parquet file")
    return ParquetSource(where)


def _of_folder(path: Path) -> Source:
    try:
        has_shards = any(file.suffix.lower() == ".parquet" for file in path.iterdir())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if has_shards:
        return ParquetSource(f"{path}/*.parquet")
    return PartitionSource(path) if (path / PARTITION).is_file() else FolderSource(path)
