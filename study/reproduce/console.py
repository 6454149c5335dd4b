"""`study reproduce`: obtained against promised, on the terminal."""

from pathlib import Path
from statistics import fmean

from rich.console import Console

from study.data.dataset import parse_sources
from study.data.preparation import prepare_by_name
from study.reproduce.reproduction import Row, find_rows, reproduce
from study.reproduce.verdict import Judgement, Obtained
from study.terminal_table import TerminalTable
from study.text import MISSING


def reproduce_and_tell(
    target: Path,
    storage: Path,
    num_fresh: int | None,
    sources: tuple[str, ...],
    address: str,
    console: Console,
) -> int:
    """Reproduces and prints obtained against promised; 0 where every row agrees, else 1.

    Raises:
        InputError: see `find_rows` and `reproduce`.
    """
    rows = find_rows(target, num_fresh)
    for name, wheres in parse_sources(sources).items():
        prepare_by_name(name, wheres, storage, console)
    obtained: dict[str, list[float]] = {row.export.title: [] for row in rows}
    num_seeds = sum(len(row.seeds) for row in rows)
    console.print(f"{num_seeds} seed(s) of {len(rows)} row(s) run again")

    def tell(row: Row, seed: int, came: Obtained | str) -> None:
        if isinstance(came, str):
            console.print(f"{row.export.title} seed {seed}: {came}", markup=False, soft_wrap=True)
            return
        obtained[row.export.title].append(came.numbers["test_fid"])
        console.print(f"{row.export.title} seed {seed}: {_line(row, came)}", soft_wrap=True)

    judgements = reproduce(rows, storage, address, tell)
    if len(rows) > 1:
        console.print(_table(rows, obtained, judgements))
    for row, judgement in zip(rows, judgements, strict=True):
        _tell_judgement(row, judgement, console)
    num_kept = sum(judgement.is_reproduced for judgement in judgements)
    if len(rows) > 1:
        console.print(f"{num_kept} of {len(rows)} rows reproduced")
    return int(num_kept < len(rows))


def _line(row: Row, came: Obtained) -> str:
    obtained = f"obtained {came.numbers['test_fid']!r}"
    promise = row.promise.numbers.get(came.seed)
    return obtained if promise is None else f"promised {promise['test_fid']!r}, {obtained}"


def _tell_judgement(row: Row, judgement: Judgement, console: Console) -> None:
    words = "[green]reproduced[/]" if judgement.is_reproduced else "[red]not reproduced[/]"
    console.print(f"{row.export.title}: {words}: {judgement.reason}", soft_wrap=True)


def _table(
    rows: list[Row], obtained: dict[str, list[float]], judgements: list[Judgement]
) -> TerminalTable:
    """Means over seeds, with every digit."""
    view = TerminalTable(
        ("row", "promised test FID", "obtained", "verdict"),
        words=("row", "verdict"),
        gives_way=("promised test FID", "obtained"),
    )
    for row, judgement in zip(rows, judgements, strict=True):
        fids = obtained[row.export.title]
        mean = repr(fmean(fids)) if fids else MISSING
        view.add_row(row.export.title, repr(row.export.mean), mean, judgement.verdict)
    return view
