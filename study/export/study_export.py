"""`study export`: what is known of a study, as files."""

from pathlib import Path

import yaml

from search_spaces import read_yaml
from study.export.row import Origin, row_path, write_row
from study.report.table import Table
from trainables.error import InputError


def export_study(origin: Origin, table: Table, folder: Path) -> list[Path]:
    """One YAML file per stratum with a test FID, and what it needs beside it.

    Args:
        origin: where the rows come from.
        table: the study's.
        folder: where the files go.

    Returns:
        The YAML files written.

    Raises:
        InputError: another study's export lies there; nothing was written.
    """
    tested = [cell for cell in (*table.cells, *table.variants) if cell.tests]
    paths = [folder / row_path(cell) for cell in tested]
    for path in paths:
        _check_owner(path, origin.layout.name)
    return [write_row(origin, cell, path) for cell, path in zip(tested, paths, strict=True)]


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
            f"{path} is no export of {study!r}"
            + (f" but of {owner!r}" if owner else "")
            + "; name another folder with --to"
        )
