"""What each variant moves: the difference of its test FID to the first variant's, with interval.

Welch's t interval: variants need not vary alike.
"""

import itertools
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from study.number import MISSING, fid_text
from study.report.cell import Cell
from study.report.comparison import compare
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


def interval_text(effect: Effect) -> str:
    """The interval of a difference, signed."""
    if effect.interval is None:
        return MISSING
    low, high = effect.interval
    return f"{low:+.2f} … {high:+.2f}"


def difference_text(effect: Effect) -> str:
    """The difference, signed."""
    return MISSING if effect.difference is None else f"{effect.difference:+.2f}"


def render_effects(table: Table) -> RichTable:
    """The variants for a terminal, each against the first of its stratum."""
    view = RichTable(box=SIMPLE_HEAD, padding=0)
    for name in ("dataset", "latent", "prior", "variant"):
        view.add_column(name, justify="right" if name == "latent" else "left")
    for name in ("test FID", "seeds", "difference", "95 % interval", "FID is"):
        view.add_column(name, justify="right", no_wrap=True)
    for row in effect_rows(table):
        view.add_row(*row)
    view.caption = (
        "test FID: mean ± standard deviation over seeds, lower is better; difference: to the"
        " first variant of the stratum, Welch's interval, not corrected for their number"
    )
    return view


def effect_rows(table: Table) -> list[tuple[str, ...]]:
    """A row of texts for each variant: its stratum, test FID, and what it moves."""
    by_cell = {id(effect.cell): effect for effect in effects(table)}
    return [(*_names(cell), *_moved(by_cell.get(id(cell)))) for cell in table.variants]


def _moved(effect: Effect | None) -> tuple[str, str, str]:
    if effect is None:
        return "base", "", ""
    return difference_text(effect), interval_text(effect), effect.verdict


def _names(cell: Cell) -> tuple[str, ...]:
    stratum = cell.stratum
    return (
        stratum.dataset, str(stratum.latent_size), stratum.prior, cell.variant or "",
        fid_text(cell.mean, cell.standard_deviation), str(cell.num_seeds),
    )  # fmt: skip
