"""`study data prepare`: one data set into the prepared form, and what it came to."""

import functools
import time
from pathlib import Path

from rich.console import Console

from search_spaces import did_you_mean
from study.layout import open_layout
from study.preparation_bar import preparation_bar
from trainables.config import KNOWN_FORMATS, DataConfig, ImageFormat
from trainables.data import ImageDataset, load_dataset
from trainables.error import InputError
from trainables.picture import Crop, resize_text
from trainables.preparation import BUILT_IN, prepare_dataset
from trainables.prepared_file import (
    PreparedDataset,
    find_prepared,
    prepared_names,
    read_metadata,
)
from trainables.sources import DOWNLOADABLE

# Of the one set whose images are cut out in more than one way.
FACES = "celeba"


def prepare_by_name(
    name: str, source: str | None, storage: Path, console: Console, crop: Crop | None = None
) -> None:
    """Prepares one data set and says what it is; without a source, one that is there will do.

    Raises:
        InputError: the data set is unknown, its source cannot be read, or it is there already
            and another.
    """
    started = time.perf_counter()
    folder = open_layout(storage, name).data
    wanted = _format(name, crop)
    before = find_prepared(name, folder)
    if source is None and before is not None:
        _check_crop(before, crop)
    elif source is None:
        _check_known(name, folder)
    if source is not None or (before is None and name != BUILT_IN):
        with preparation_bar(console) as progress:
            tell = functools.partial(progress, name)
            prepare_dataset(name, source, folder, wanted, tell, crop or "reference")
    prepared = find_prepared(name, folder)
    found = prepared.format if prepared else KNOWN_FORMATS[BUILT_IN]
    dataset = load_dataset(DataConfig(dataset=name, format=found), folder)
    console.print(_sentence(dataset, time.perf_counter() - started), soft_wrap=True)


def _format(name: str, crop: Crop | None) -> ImageFormat | None:
    """What the images are brought to, where that is known before they are seen.

    Raises:
        InputError: they are known to be of one size, and a crop would make another.
    """
    if crop is None:
        return KNOWN_FORMATS.get(name)
    if name in KNOWN_FORMATS and name != FACES:
        raise InputError(f"--crop is for faces of {FACES}, and {name} is taken as it is")
    return KNOWN_FORMATS[FACES]


def _check_crop(prepared: PreparedDataset, crop: Crop | None) -> None:
    """Refuses to take what is there for what is asked."""
    if crop is not None and read_metadata(prepared.path)["resize"] != resize_text(crop):
        raise InputError(
            f"{prepared.name} is prepared already with another crop than {crop}; remove"
            f" {prepared.path}, or prepare it under another name with --source"
        )


def _check_known(name: str, folder: Path) -> None:
    """Refuses what can be neither found nor downloaded."""
    if name in (BUILT_IN, *DOWNLOADABLE):
        return
    known = {BUILT_IN, *KNOWN_FORMATS, *prepared_names(folder)}
    raise InputError(
        f"{name} needs --source with a folder of images, a zip of one, or 'PATH/*.parquet';"
        f" {', '.join(DOWNLOADABLE)} can be downloaded{did_you_mean(name, known)}"
    )


def _sentence(dataset: ImageDataset, seconds: float) -> str:
    image = dataset.format
    return (
        f"{dataset.name}: {len(dataset.train)} train, {len(dataset.validation)} validation,"
        f" {len(dataset.test)} test images of {image.channels}×{image.size}×{image.size},"
        f" {image.num_levels} levels; {seconds:.1f} s; fingerprint {dataset.fingerprint}"
    )
