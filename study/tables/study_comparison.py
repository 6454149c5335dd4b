"""A second study laid beside the first: stratum by stratum, with the difference's interval."""

from collections.abc import Iterable
from dataclasses import dataclass

from search_spaces import Stratum
from study.tables.cell import Cell
from study.tables.comparison import Comparison, adjusted, compare
from study.tables.grid import (
    STRATUM,
    Column,
    Grid,
    Row,
    fid,
    interval,
    interval_row,
    number,
    p_text,
    stratum_row,
    word,
)
from study.tables.protocol import first_difference
from study.tables.table import Table
from study.text import MISSING, nats_text, signed_text
from trainables.error import InputError

_Cells = tuple[Cell | None, Cell | None]


@dataclass(frozen=True, slots=True)
class Other:
    """The study that another is held against."""

    name: str
    table: Table


def check_comparable(name: str, table: Table, other: Other) -> None:
    """Refuses two studies whose numbers cannot share a column.

    Raises:
        InputError: they have no stratum in common, or their test FIDs of one data set were
            measured in different ways.
    """
    strata = {cell.stratum for cell in table.cells}
    if strata.isdisjoint(cell.stratum for cell in other.table.cells):
        raise InputError(f"{name} and {other.name} have no stratum in common")
    theirs = other.table.protocols()
    for dataset, protocol in table.protocols().items():
        field = first_difference(protocol, theirs.get(dataset, protocol))
        if field:
            raise InputError(
                f"test FIDs of {dataset} cannot stand beside each other: {field} is"
                f" {protocol.get(field)!r} in {name}, but {theirs[dataset].get(field)!r} in"
                f" {other.name}"
            )


def against(name: str, table: Table, other: Other) -> Grid:
    """Both studies side by side; strata that only one of them has are shown with what there is."""
    own, theirs = _cells(table), _cells(other.table)
    pairs = {stratum: (own.get(stratum), theirs.get(stratum)) for stratum in own | theirs}
    found = {stratum: _compare(pair) for stratum, pair in pairs.items()}
    known = [stratum for stratum, comparison in found.items() if comparison]
    tests = dict(zip(known, adjusted([c for c in found.values() if c]), strict=True))
    return Grid(
        "against",
        f"{name} against {other.name}",
        f"Test FIDs of {name}, then those of {other.name}, as mean ± standard deviation over"
        f" seeds; the difference is {name} minus {other.name} with Welch's 95 % interval, p is"
        " Holm's for all strata. Both were measured by one protocol; whatever else differs between"
        " the studies moves these numbers too.",
        (
            *STRATUM, fid(name, "test_fid", "standard_deviation"), number("seeds", "num_seeds"),
            fid(other.name, "other_test_fid", "other_standard_deviation"),
            number("its seeds", "other_num_seeds"), number("difference", text=signed_text),
            interval(prefix="difference", signed=True), number("p", "adjusted_p", p_text),
            word("FID is", "verdict"),
            Column("ELBO ↑", ("best_elbo", "other_best_elbo"), _both_nats),
        ),
        [_row(stratum, pair, tests.get(stratum)) for stratum, pair in pairs.items()],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def _cells(table: Table) -> dict[Stratum, Cell]:
    return {cell.stratum: cell for cell in table.by_column()}


def _compare(cells: _Cells) -> Comparison | None:
    first, second = cells
    return compare(first.test_fids, second.test_fids) if first and second else None


def _row(stratum: Stratum, cells: _Cells, found: Comparison | None) -> Row:
    first, second = cells
    return {
        **stratum_row(stratum),
        **_values("", first),
        **_values("other_", second),
        "difference": _difference(cells),
        **interval_row(found.interval if found else None, "difference"),
        "adjusted_p": found.adjusted_p if found else None,
        "verdict": found.verdict if found else _why_not(cells),
    }


def _values(prefix: str, cell: Cell | None) -> Row:
    names = ("standard_deviation", "num_seeds", "best_elbo")
    values = {"test_fid": cell and cell.mean, **{n: cell and getattr(cell, n) for n in names}}
    return {f"{prefix}{name}": value for name, value in values.items()}


def _difference(cells: Iterable[Cell | None]) -> float | None:
    first, second = (cell.mean if cell else None for cell in cells)
    return None if first is None or second is None else first - second


def _why_not(cells: Iterable[Cell | None]) -> str:
    return "one seed is not enough" if all(c and c.tests for c in cells) else MISSING


def _both_nats(first: float | None, second: float | None) -> str:
    return f"{nats_text(first)} / {nats_text(second)}"
