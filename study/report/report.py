"""What people read of a study: one HTML file that opens offline, its tables and figures as files.

It reads records only, so that it may be written on any laptop and while the study runs.

    report.html   table.csv   table.md
    tables/<name>.csv .md .tex .parquet     every table of the page
    plots/<name>.png .csv                   every figure of the page, and what it shows
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from search_spaces import StudySpec
from study.record import TrialRecord
from study.report.caption import ReportFacts, caption_facts
from study.report.figure import Picture, draw_pictures
from study.report.page import page_text
from study.report.tuning import tuning
from study.tables.bound import bounds, elbo_comparisons
from study.tables.budget import budget, failures, waste
from study.tables.collapse import collapse
from study.tables.comparability import sound_table
from study.tables.grid import Grid
from study.tables.grid_file import WRITERS, csv_text, markdown_text
from study.tables.luck import luck
from study.tables.reference import classifier_ranks
from study.tables.result import all_rows, fid_parts, results
from study.tables.rung_correlation import lost_winners, rung_correlations
from study.tables.searched_field import best_configs, field_importances
from study.tables.selection import selections
from study.tables.study_comparison import Other, against, check_comparable
from study.tables.table import Table
from study.tables.variant import variants
from study.tables.verdict import claims, comparisons
from trainables.file import write_atomically


def write_report(
    folder: Path,
    spec: StudySpec,
    records: Sequence[TrialRecord],
    facts: ReportFacts,
    other: Other | None = None,
) -> Path:
    """Writes all files below `<folder>/report`; the path of the page.

    What cannot share a column, or has lost its history, is left out and named on the page.

    Args:
        folder: the study's folder, to which the records' folders are relative.
        spec: the study's question.
        records: all its trials, finished or not.
        facts: commit, versions and machine.
        other: a second study to lay beside it.

    Raises:
        InputError: the two studies' numbers cannot share a column; nothing is written.
    """
    table, notes = sound_table(spec, records)
    if other is not None:
        check_comparable(spec.name, table, other)
    made_with = caption_facts(spec, table, facts.commit, facts.versions, facts.overlaps)
    grids = _grids(spec, table, made_with, folder)
    grids += [against(spec.name, table, other)] if other else []
    pictures = draw_pictures(spec, table, folder)
    target = folder / "report"
    _write_all(target / "tables", _table_files(grids))
    _write_all(target / "plots", _picture_files(pictures))
    write_atomically(target / "table.csv", csv_text(all_rows(table)).encode())
    write_atomically(target / "table.md", markdown_text(grids[0]).encode())
    page = page_text(spec, table, facts, made_with, notes, grids, pictures)
    return write_atomically(target / "report.html", page.encode())


def _table_files(grids: Sequence[Grid]) -> dict[str, bytes]:
    return {
        f"{grid.name}.{ending}": write(grid)
        for grid in grids
        if grid.rows
        for ending, write in WRITERS.items()
    }


def _picture_files(pictures: Sequence[Picture]) -> dict[str, bytes]:
    files = {}
    for picture in pictures:
        if picture.png is not None:
            files[f"{picture.name}.png"] = picture.png
            files[f"{picture.name}.csv"] = csv_text(picture.rows).encode()
    return files


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files, and removes those of an earlier report that have no successor."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()


def _grids(
    spec: StudySpec, table: Table, made_with: Sequence[tuple[str, str]], folder: Path
) -> list[Grid]:
    return [
        results(table, made_with), selections(table), claims(spec, table), comparisons(table),
        elbo_comparisons(table), variants(table), classifier_ranks(table), fid_parts(table),
        bounds(table), collapse(spec, table), best_configs(spec, table),
        field_importances(spec, table), tuning(spec, table, folder), luck(table),
        budget(spec, table), waste(table), rung_correlations(spec, table),
        lost_winners(spec, table), failures(table),
    ]  # fmt: skip
