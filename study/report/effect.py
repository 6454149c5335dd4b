"""What each variant moves: the difference of its test FID to the first variant's, with interval.

Welch's t interval: variants need not vary alike.
"""

import itertools
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from study.number import MISSING, signed_text
from study.report.cell import Cell
from study.report.comparison import compare
from study.report.grid import (
    STRATUM,
    Grid,
    Row,
    fid,
    interval,
    interval_row,
    number,
    stratum_row,
    word,
)
from study.report.table import Table

UNDECIDED = "cannot tell"


@dataclass(frozen=True, slots=True)
class Effect:
    """One variant against the first one, in one stratum.

    Attributes:
        cell: the variant's.
        base: the first variant's cell.
        difference: mean test FID minus that of the base; below 0 is better. None without values.
        interval: its 95 % interval; None below two seeds on either side.
    """

    cell: Cell
    base: Cell
    difference: float | None
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out zero, and on which side."""
        if self.interval is None:
            return MISSING
        low, high = self.interval
        if low > 0:
            return "higher"
        return "lower" if high < 0 else UNDECIDED


def effects(table: Table) -> list[Effect]:
    """All variants but the first against the first, stratum by stratum."""
    groups = itertools.groupby(table.variants, key=lambda cell: cell.stratum)
    return [
        _effect(cell, base)
        for base, *others in (tuple(group) for _, group in groups)
        for cell in others
    ]


def _effect(cell: Cell, base: Cell) -> Effect:
    if cell.mean is None or base.mean is None:
        return Effect(cell, base, None, None)
    comparison = compare(cell.test_fids, base.test_fids)
    interval = comparison.interval if comparison else None
    return Effect(cell, base, cell.mean - base.mean, interval)


def render_effects(table: Table) -> RichTable:
    """The variants for a terminal, each against the first of its stratum."""
    view = RichTable(box=SIMPLE_HEAD, padding=0)
    for name in ("dataset", "latent", "prior", "variant"):
        view.add_column(name, justify="right" if name == "latent" else "left")
    for name in ("test FID", "seeds", "difference", "95 % interval", "FID is"):
        view.add_column(name, justify="right", no_wrap=True)
    for texts in variants(table).texts():
        view.add_row(*texts)
    view.caption = (
        "test FID: mean ± standard deviation over seeds, lower is better; difference: to the"
        " first variant of the stratum, Welch's interval, not corrected for their number"
    )
    return view


def variants(table: Table) -> Grid:
    """The variants of the space against the first of their stratum."""
    by_cell = {id(effect.cell): effect for effect in effects(table)}
    return Grid(
        "variants",
        "Variants",
        "Fixed configs, trained with fresh seeds and without search; they do not compete in the"
        " table. ± is the standard deviation over seeds; the difference is to the first variant of"
        " the stratum, with Welch's 95 % interval, not corrected for the number of variants. A"
        " variant that changes nothing in a stratum is not trained again there.",
        (
            *STRATUM, word("variant"), fid("test FID", "test_fid", "standard_deviation"),
            number("seeds", "num_seeds"), number("difference", text=signed_text),
            interval(prefix="difference", signed=True), word("FID is", "verdict"),
        ),
        [_row(cell, by_cell.get(id(cell))) for cell in table.variants],
        group_by=("dataset", "latent_size", "prior"),
    )  # fmt: skip


def _row(cell: Cell, effect: Effect | None) -> Row:
    return {
        **stratum_row(cell.stratum),
        "variant": cell.variant,
        "test_fid": cell.mean,
        "standard_deviation": cell.standard_deviation,
        "num_seeds": cell.num_seeds,
        "difference": effect.difference if effect else None,
        **interval_row(effect.interval if effect else None, "difference"),
        "verdict": effect.verdict if effect else "base",
    }
