"""`study export`: what is known of a study, as files."""

from pathlib import Path

import yaml

from search_spaces import read_yaml
from study.export.row import Origin, exported_cells, write_row
from study.tables.table import Table
from trainables.error import InputError


def export_study(origin: Origin, table: Table, folder: Path) -> list[Path]:
    """One YAML file for each config with a test FID, and what it needs beside it.

    Args:
        origin: where the rows come from.
        table: the study's.
        folder: where the files go.

    Returns:
        The YAML files written.

    Raises:
        InputError: another study's export lies there; nothing was written.
    """
    found = exported_cells(table).items()
    tested = {folder / path: cell for path, cell in found if cell.tests}
    for path in tested:
        _check_owner(path, origin.layout.name)
    return [write_row(origin, cell, path) for path, cell in tested.items()]


def _check_owner(path: Path, study: str) -> None:
    """Refuses to write over another study's file."""
    if not path.is_file():
        return
    try:
        values = read_yaml(path.read_text())
    except (UnicodeDecodeError, yaml.YAMLError):
        values = None
    owner = values.get("study") if isinstance(values, dict) else None
    if owner != study:
        raise InputError(
            f"{path} is not an export of {study!r}"
            + (f" but of {owner!r}" if owner else "")
            + "; name another folder with --to"
        )
