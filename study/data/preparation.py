"""`study data prepare`: one data set into the prepared form, and what it came to."""

import functools
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from search_spaces import did_you_mean
from study.data.contact_sheet import NUM_SHOWN, write_contact_sheet
from study.data.image_preparation import Preparation
from study.data.inventory import prepared_texts
from study.data.plan_text import tell_plan
from study.data.preparation_bar import preparation_bar
from study.storage.layout import open_layout
from trainables.config import KNOWN_FORMATS, DataConfig, ImageFormat
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.data.preparation import plan_dataset, prepare_dataset
from trainables.data.preparation_request import BUILT_IN
from trainables.data.prepared_file import (
    PreparedDataset,
    find_prepared,
    prepared_names,
    read_metadata,
)
from trainables.error import InputError
from trainables.picture import Crop, resize_text
from trainables.sources import DOWNLOADABLE


def prepare_by_name(
    name: str,
    source: str | Sequence[str] | None,
    storage: Path,
    console: Console,
    preparation: Preparation | None = None,
    *,
    is_plan_only: bool = False,
    preview: Path | None = None,
) -> None:
    """Prepares one data set and says what it is; without a source, one that is there will do.

    Args:
        name: the set's.
        source: see `prepare_dataset`.
        storage: where studies and prepared sets lie.
        console: where the plan, its warnings and the result are printed.
        preparation: what is said about the source.
        is_plan_only: ends after the plan.
        preview: a picture of some images of each split is written there first.

    Raises:
        InputError: the data set is unknown, its source cannot be read, or it is there already
            and another.
    """
    started = time.perf_counter()
    preparation = preparation or Preparation()
    folder = open_layout(storage, name).data
    wanted = preparation.format_of(name)
    before = find_prepared(name, folder)
    _check_source(name, source, folder, before, preparation.crop)
    if is_plan_only or preview:
        _tell_plan(name, source, folder, wanted, preparation, console, preview)
    if is_plan_only:
        return
    if source is not None or (before is None and name != BUILT_IN):
        with preparation_bar(console) as progress:
            prepare_dataset(
                name,
                source,
                folder,
                wanted,
                functools.partial(progress, name),
                preparation.crop or "reference",
                preparation.config,
                None if preview else functools.partial(tell_plan, console=console),
            )
    prepared = find_prepared(name, folder)
    found = prepared.format if prepared else KNOWN_FORMATS[BUILT_IN]
    dataset = load_dataset(DataConfig(dataset=name, format=found), folder)
    console.print(_sentence(dataset, time.perf_counter() - started), soft_wrap=True)
    for text in prepared_texts(prepared) if prepared else ():
        console.print(f"  {text}", soft_wrap=True, markup=False, emoji=False)


def _tell_plan(
    name: str,
    source: str | Sequence[str] | None,
    folder: Path,
    wanted: ImageFormat | None,
    preparation: Preparation,
    console: Console,
    preview: Path | None,
) -> None:
    """Makes the plan, prints it, and writes the picture."""
    num_kept = NUM_SHOWN if preview else 0
    crop = preparation.crop or "reference"
    plan = plan_dataset(name, source, folder, wanted, crop, preparation.config, num_kept)
    tell_plan(plan, console)
    if preview:
        write_contact_sheet(plan, preview)
        console.print(f"contact sheet: {preview}", soft_wrap=True, markup=False, emoji=False)


def _check_source(
    name: str,
    source: str | Sequence[str] | None,
    folder: Path,
    before: PreparedDataset | None,
    crop: Crop | None,
) -> None:
    if source is None and before is not None:
        _check_crop(before, crop)
    elif source is None:
        _check_known(name, folder)


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
