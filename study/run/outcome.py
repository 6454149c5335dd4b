"""The end of a run: table on the terminal, report and exports on disk, exit code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from search_spaces import Stratum, StudySpec
from study.record import TrialRecord, load_records
from study.report.caption import ReportFacts
from study.report.report import write_report
from study.storage.environment import Environment, current_environment, load_environments
from study.storage.layout import Layout
from study.tables.comparability import sound_table
from study.tables.protocol import show_protocols
from study.tables.study_comparison import Other
from study.tables.table import Table, render_table
from study.tables.variant import render_effects
from study.text import duration_text

if TYPE_CHECKING:
    from study.export.row import Origin


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a study found so far.

    Attributes:
        table: a cell per stratum.
        is_finished: whether nothing is left to run.
        exit_code: 0; or 1 where the study cannot go on, or is finished and a stratum has no test
            FID.
    """

    table: Table
    is_finished: bool
    exit_code: int


def conclude(
    layout: Layout,
    spec: StudySpec,
    console: Console,
    *,
    is_finished: bool,
    write: bool,
    elapsed: float | None = None,
) -> Outcome:
    """Shows the table; writes report and exports, and registers the models of a finished study.

    Args:
        layout: the study's.
        spec: its question.
        console: where to show the table.
        is_finished: whether nothing is left to run.
        write: whether report and exports are written anew.
        elapsed: seconds that this run took.
    """
    if write:
        write_outcome(layout, spec)
    table, notes = sound_table(spec, load_records(layout.storage, spec.name))
    for note in notes:
        console.print(f"[yellow]note[/]: {escape(note)}", soft_wrap=True)
    if table.cells:
        console.print(render_table(table))
    if table.variants:
        console.print(render_effects(table))
    if elapsed is not None:
        console.print(f"time    {duration_text(elapsed)}")
    console.print(f"report  {shown(layout.report)}", soft_wrap=True)
    console.print(f"export  {shown(layout.export)}", soft_wrap=True)
    if write and is_finished:
        from study.tracking.registered_model import register_study

        register_study(layout, console)
    return Outcome(table, is_finished, int(is_finished and bool(table.empty_cells)))


def write_outcome(
    layout: Layout,
    spec: StudySpec,
    *,
    report: bool = True,
    exports: bool = True,
    export_to: Path | None = None,
    against: Layout | None = None,
) -> list[Path]:
    """Writes the report and the exports of what is known so far; the exported files.

    Args:
        layout: the study's.
        spec: its question.
        report: whether the report is written.
        exports: whether the exports are written.
        export_to: another folder for them.
        against: a second study to lay beside it in the report.
    """
    records = load_records(layout.storage, spec.name)
    environments = _environments(layout, spec, records)
    if report:
        other = _other(against) if against else None
        facts = report_facts(environments[-1], spec, layout.data)
        write_report(layout.study, spec, records, facts, other)
    if not exports:
        return []
    from study.export.study_export import export_study

    origin = _origin(layout, spec, environments)
    return export_study(origin, sound_table(spec, records)[0], export_to or layout.export)


def write_table(layout: Layout, spec: StudySpec, folder: Path) -> Path:
    """Writes everything that the study's table needs to be made again into one folder.

    Raises:
        InputError: there is no test FID yet, or the folder holds something else.
    """
    from study.export.table_folder import write_table_folder

    records = load_records(layout.storage, spec.name)
    origin = _origin(layout, spec, _environments(layout, spec, records), every_seed=True)
    return write_table_folder(origin, sound_table(spec, records)[0], folder)


def _other(layout: Layout) -> Other:
    table, _ = sound_table(layout.load_spec(), load_records(layout.storage, layout.name))
    return Other(layout.name, table)


def show_protocols_of(layout: Layout, console: Console) -> None:
    """Every FID of a study with its protocol; see `study.tables.protocol`."""
    spec = layout.load_spec()
    records = load_records(layout.storage, spec.name)
    show_protocols(layout, sound_table(spec, records)[0], records, console)


def tell_rivals(study: str, rivals: Mapping[Stratum, tuple[str, ...]], console: Console) -> None:
    """Says where a search that was extended found a better config than the tested one."""
    for stratum, keys in rivals.items():
        console.print(
            f"note: {stratum} was tested before {' and '.join(keys)} came to be its best on the"
            f" validation part, so the tested config stands; `study confirm {study} --retest"
            f" {stratum} --why …`"
            " tests the new one, too, and the report says why",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip


def shown(path: Path) -> Path:
    """The path as seen from the working folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def report_facts(environment: Environment, spec: StudySpec, data: Path) -> ReportFacts:
    """The environment and the data sets as the report shows them."""
    from study.data.duplicates import overlap_texts  # loads torch

    return ReportFacts(
        commit=environment.commit,
        versions=environment.packages,
        device=environment.device,
        cpu_model=environment.cpu_model,
        num_threads=environment.num_threads,
        overlaps=overlap_texts(spec, data),
    )


def _environments(
    layout: Layout, spec: StudySpec, records: Sequence[TrialRecord]
) -> list[Environment]:
    """What the study ran with, the last one last; the present one where nobody wrote it down."""
    known = load_environments(layout.environments)
    return known or [current_environment(spec.resources.cpus, _device(records))]


def _origin(
    layout: Layout,
    spec: StudySpec,
    environments: Sequence[Environment],
    *,
    every_seed: bool = False,
) -> "Origin":
    from study.export.row import Origin

    last = environments[-1]
    found = (environment.first_difference(last) for environment in environments[:-1])
    elsewhere = tuple(dict.fromkeys(difference for difference in found if difference))
    return Origin(layout, last, spec.resources.gpus, elsewhere, every_seed)


def _device(records: Sequence[TrialRecord]) -> str:
    """What the workers said that they trained on."""
    workers = [record.attributes["worker"] for record in records if "worker" in record.attributes]
    return str(workers[0]["device"]) if workers else "cpu"
