"""`study data list`: the data sets that are prepared in a storage."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from study.storage.layout import open_layout
from study.terminal_table import TerminalTable
from trainables.count import plural
from trainables.data.overlap import overlap_text
from trainables.data.prepared_file import (
    PreparedDataset,
    find_prepared,
    prepared_names,
    read_prepared,
)
from trainables.error import InputError

COLUMNS = ("name", "train", "validation", "test", "size", "channels", "labels", "fingerprint")
GIVES_WAY = ("channels", "validation", "labels")


def list_datasets(storage: Path, console: Console) -> None:
    """Prints a row for each prepared set; a damaged one is told and hides no other.

    Raises:
        InputError: the storage is not a folder.
    """
    folder = open_layout(storage, "any").data
    names = prepared_names(folder)
    if not names:
        console.print(f"no data set is prepared in {folder}; digits needs none", soft_wrap=True)
        return
    table = TerminalTable(COLUMNS, ("name", "labels", "fingerprint"), GIVES_WAY)
    told: dict[str, list[str]] = {}
    damages = []
    for name in names:
        try:
            table.add_row(*_row(name, folder))
            told[name] = list(prepared_texts(_found(name, folder)))
        except InputError as error:
            damages.append(str(error))
    if told:
        console.print(table)
    for name, texts in told.items():
        for text in (name, *(f"  {text}" for text in texts)) if texts else ():
            console.print(text, soft_wrap=True, markup=False, emoji=False)
    for damage in damages:
        console.print(damage, soft_wrap=True)


def prepared_texts(prepared: PreparedDataset) -> Iterator[str]:
    """Where a set's splits come from, what was lost on the way, and what lies in two splits.

    Nothing of a file that was made before these were remembered.
    """
    told = prepared.preparation
    yield from told.get("splits", ())
    for num, reason in told.get("left_out", ()):
        yield f"left out: {plural(num, 'file')}, {reason}"
    for text in told.get("conversions", ()):
        yield f"converted: {text}"
    if prepared.overlap is not None:
        yield overlap_text(prepared.overlap)


def _found(name: str, folder: Path) -> PreparedDataset:
    found = find_prepared(name, folder)
    assert found is not None
    return found


def _row(name: str, folder: Path) -> tuple[str, ...]:
    found = _found(name, folder)
    counts = (found.num_train, found.num_validation, found.num_test)
    size, channels = found.format.size, found.format.channels
    return (
        name, *(f"{count:,}" for count in counts), f"{size}×{size}", str(channels), _labels(found),
        found.fingerprint[:12],
    )  # fmt: skip


def _labels(prepared: PreparedDataset) -> str:
    """How many classes its images have."""
    labels = np.unique(read_prepared(prepared)[1])
    return str((labels >= 0).sum() or "none")
