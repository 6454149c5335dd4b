"""`study export --table`: one folder with everything to make a study's table again.

    table.yaml            the rows, and what the table is
    README.md             for people
    spec.yaml  plugins/   the study's question
    table.csv  table.md   the table as it was
    <dataset>/<prior>/    one YAML file a row, with what it needs beside it

The folder is written aside and renamed: it is there as a whole, or not at all.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from search_spaces import complaint, dump_yaml, read_yaml
from study.export.export import check_format, title_of
from study.export.row import Origin, exported_cells, write_row
from study.tables.cell import Cell
from study.tables.grid_file import csv_text, markdown_text
from study.tables.result import all_rows, results
from study.tables.table import Table
from trainables.config import Frozen
from trainables.error import InputError
from trainables.file import write_atomically

TABLE_FORMAT = 1
FILE = "table.yaml"


class TableFolder(Frozen):
    """What the folder's `table.yaml` says.

    Attributes:
        format: of this file.
        study: where the table comes from.
        study_seed: all seeds of the study follow from it.
        rows: path of each row's YAML file below the folder, in the order of the table.
        empty: the cells that had no test FID, with the reason.
    """

    format: int = TABLE_FORMAT
    study: str
    study_seed: int
    rows: tuple[str, ...] = Field(min_length=1)
    empty: dict[str, str] = Field(default_factory=dict)


def write_table_folder(origin: Origin, table: Table, folder: Path) -> Path:
    """Writes the folder anew; one of the same study that is there gives way to it.

    Raises:
        InputError: no cell has a test FID; or the folder holds something else.
    """
    spec = origin.layout.load_spec()
    cells = exported_cells(table)
    tested = {path: cell for path, cell in cells.items() if cell.tests}
    if not tested:
        raise InputError(f"{origin.layout.name} has no test FID yet; nothing is exported")
    target = folder.expanduser().resolve()
    _check_target(target, origin.layout.name, spec.seed)
    what = TableFolder(
        study=origin.layout.name,
        study_seed=spec.seed,
        rows=tuple(path.as_posix() for path in tested),
        empty={_title(cell): cell.status for cell in cells.values() if not cell.tests},
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for path, cell in tested.items():
            write_row(origin, cell, aside / path)
        _write_rest(origin, table, what, aside)
        _put_in_place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def load_table_folder(folder: Path) -> TableFolder:
    """What a folder says of itself.

    Raises:
        InputError: it is not an exported table, or a row is missing.
    """
    path = folder / FILE
    try:
        values = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"{folder} is not an exported table: its {FILE} cannot be read"
            f" ({' '.join(str(error).split())})"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is not an exported table")
    check_format(path, values, TABLE_FORMAT)
    try:
        found = TableFolder.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}: {complaint(error, TableFolder)}") from error
    for row in found.rows:
        if not (folder / row).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{path} names {row}, which lies outside of the folder")
        if not (folder / row).is_file():
            raise InputError(f"{folder / row} is missing; {path.name} names it as a row")
    return found


def _title(cell: Cell) -> str:
    return title_of(str(cell.stratum), cell.variant, cell.selection)


def _check_target(target: Path, study: str, seed: int) -> None:
    """Refuses to replace what is not this study's."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / FILE).is_file():
        raise InputError(
            f"{target} holds something else than an exported table; name a new folder"
        )
    there = load_table_folder(target)
    if (there.study, there.study_seed) != (study, seed):
        raise InputError(
            f"{target} holds the table of study {there.study!r} with seed {there.study_seed}, not"
            f" of {study!r} with seed {seed}; name a new folder"
        )


def _write_rest(origin: Origin, table: Table, what: TableFolder, folder: Path) -> None:
    layout = origin.layout
    write_atomically(folder / "spec.yaml", layout.spec.read_bytes())
    if layout.plugins.is_dir():
        shutil.copytree(layout.plugins, folder / "plugins")
    write_atomically(folder / "table.csv", csv_text(all_rows(table)).encode())
    write_atomically(folder / "table.md", markdown_text(results(table, ())).encode())
    write_atomically(folder / "README.md", _readme(origin, table, what).encode())
    write_atomically(folder / FILE, dump_yaml(what.model_dump(mode="json")).encode())


def _readme(origin: Origin, table: Table, what: TableFolder) -> str:
    environment: dict[str, Any] = origin.environment.as_dict()
    rows = "\n".join(f"* [{row}]({Path(row).with_suffix('.md').as_posix()})" for row in what.rows)
    empty = "".join(f"* {title}: no test FID ({why})\n" for title, why in what.empty.items())
    return (
        f"# The table of the study `{what.study}`\n\n{markdown_text(results(table, ()))}\n"
        "Every row again, trained anew and compared digit by digit:\n\n"
        "```\nstudy reproduce THIS_FOLDER\n```\n\n"
        "The same question as a new study, search and all:\n\n"
        "```\nstudy run THIS_FOLDER/spec.yaml --name again\n```\n\n"
        f"Made with commit {environment['commit']} on {environment['device']}"
        f" ({environment['cpu_model']}), {environment['num_threads']} thread(s) a trial.\n\n"
        f"## Rows\n\n{rows}\n{empty}"
    )


def _put_in_place(aside: Path, target: Path) -> None:
    """Renames; what was there is moved out of the way first, and back if that fails."""
    if not target.exists():
        aside.rename(target)
        return
    old = target.with_name(f".{target.name}.old.{os.getpid()}")
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
