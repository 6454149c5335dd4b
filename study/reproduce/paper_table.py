"""`study reproduce SPACE`: a table of the paper run as a study, its values beside ours."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from search_spaces import StudySpec, load_space
from study.run.launch import run_study
from study.storage.layout import open_layout
from study.tables.paper import SOURCE, paper_fid
from study.tables.table import Table
from study.tables.verdict import claims
from study.terminal_table import TerminalTable
from study.text import MISSING, fid_text, signed_text
from trainables.error import InputError


def reproduce_paper(
    space: str,
    overrides: Sequence[str],
    num_seeds: int | None,
    storage: Path,
    address: str,
    sources: tuple[str, ...],
    console: Console,
) -> int:
    """Runs the space to its end, or goes on with it, and lays the paper's values beside.

    The paper states neither FID protocol nor seeds, so its values are not a promise that could
    be kept to the digit: what is judged are the space's claims.

    Args:
        space: its name.
        overrides: `key=value` for fields of the space.
        num_seeds: number of confirm seeds; by default the space's.
        storage: folder of the study, as for `study run`.
        address: of the cluster, as for `study run`.
        sources: images of data sets, as for `study run`.
        console: where to show it.

    Returns:
        0; or 1 where the study is not finished, or a stratum has no value.

    Raises:
        InputError: the paper has no value for any stratum of the space.
    """
    seeds = [f"confirm.num_seeds={num_seeds}"] if num_seeds else []
    spec = load_space(space, [*overrides, *seeds])
    if all(paper_fid(stratum) is None for stratum in spec.cells()):
        raise InputError(f"the paper has no value for any stratum of {space}; use `study run`")
    outcome = run_study(spec, console=console, storage=storage, address=address, sources=sources)
    console.print(_beside(outcome.table))
    console.print(f"paper: {SOURCE}", soft_wrap=True, highlight=False)
    _tell_claims(open_layout(storage, spec.name).load_spec(), outcome.table, console)
    return outcome.exit_code if outcome.is_finished else 1


def _tell_claims(spec: StudySpec, table: Table, console: Console) -> None:
    verdicts = claims(spec, table)
    for texts in verdicts.texts():
        told = (f"{name}: {text}" for name, text in zip(verdicts.headers, texts, strict=True))
        console.print("; ".join(told), soft_wrap=True, markup=False)


def _beside(table: Table) -> TerminalTable:
    view = TerminalTable(
        ("stratum", "ours", "paper", "difference", "rank ours", "rank paper"),
        words=("stratum",),
        gives_way=("difference", "rank ours", "rank paper"),
    )
    for column in table.columns().values():
        ours = _ranks([cell.mean for cell in column])
        paper = _ranks([paper_fid(cell.stratum) for cell in column])
        for cell, our_rank, paper_rank in zip(column, ours, paper, strict=True):
            theirs = paper_fid(cell.stratum)
            fid = fid_text(cell.mean, cell.standard_deviation)
            moved = None if cell.mean is None or theirs is None else cell.mean - theirs
            view.add_row(
                str(cell.stratum), fid, fid_text(theirs), signed_text(moved), our_rank, paper_rank
            )
    return view


def _ranks(values: Sequence[float | None]) -> list[str]:
    """Places by value, the lowest first; of those that are there."""
    known = sorted(value for value in values if value is not None)
    return [MISSING if value is None else str(known.index(value) + 1) for value in values]
