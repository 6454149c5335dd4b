"""What each variant moves: the difference of its test FID to the first variant's, with interval.

The variants of a stratum share their seeds, so they are compared seed by seed: what a seed does to
both cancels. Where fewer than two seeds have a value on both sides, Welch's interval stands there.
"""

import itertools
from dataclasses import dataclass

from study.tables.cell import Cell
from study.tables.comparison import Comparison, compare, compare_in_pairs
from study.tables.grid import (
    STRATUM,
    Grid,
    Row,
    interval,
    interval_row,
    number,
    seeded_fid,
    stratum_row,
    word,
)
from study.tables.seed import seed_row
from study.tables.table import Table, seeded_phrase
from study.terminal_table import TerminalTable
from study.text import MISSING, signed_text

PAIRS, WELCH = "pairs", "Welch"


@dataclass(frozen=True, slots=True)
class Effect:
    """One variant against the first one, in one stratum.

    Attributes:
        cell: the variant's.
        base: the first variant's cell.
        comparison: of their test FIDs, below 0 is better; None below two seeds on either side.
    """

    cell: Cell
    base: Cell
    comparison: Comparison | None

    @property
    def difference(self) -> float | None:
        """Test FID minus that of the base; below 0 is better. None without values."""
        if self.comparison is not None:
            return self.comparison.difference
        if self.cell.mean is None or self.base.mean is None:
            return None
        return self.cell.mean - self.base.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The difference's 95 % interval, not corrected for the number of variants."""
        return self.comparison.interval if self.comparison else None

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out zero, and on which side."""
        return self.comparison.own_verdict if self.comparison else MISSING

    @property
    def method(self) -> str | None:
        """How the seeds were compared: in pairs, or as Welch's independent samples."""
        if self.comparison is None:
            return None
        return PAIRS if self.comparison.is_paired else WELCH


def effects(table: Table) -> list[Effect]:
    """All variants but the first against the first, stratum by stratum."""
    groups = itertools.groupby(table.variants, key=lambda cell: cell.stratum)
    return [
        _effect(cell, base)
        for base, *others in (tuple(group) for _, group in groups)
        for cell in others
    ]


def _effect(cell: Cell, base: Cell) -> Effect:
    pairs = compare_in_pairs(_by_seed(cell), _by_seed(base))
    return Effect(cell, base, pairs or compare(cell.test_fids, base.test_fids))


def _by_seed(cell: Cell) -> dict[int, float]:
    """Test FIDs by the seed of their configs."""
    return {record.config["seed"]: record.test.test_fid for record in cell.chosen if record.test}


def render_effects(table: Table) -> TerminalTable:
    """The variants for a terminal, each against the first of its stratum."""
    view = TerminalTable(
        ("dataset", "latent", "prior", "variant", "test FID", "seeds", "difference",
         "95 % interval", "FID is", "by"),
        words=("dataset", "prior", "variant"),
        gives_way=("by", "seeds", ("dataset", "prior", "latent"), "95 % interval", "FID is",
                   "difference"),
        caption="test FID: mean ± standard deviation over seeds, lower is better; difference: to"
        " the first variant of the stratum, in pairs of the same seed, not corrected for their"
        " number",
    )  # fmt: skip
    for texts in variants(table).texts():
        view.add_row(*texts[:4], seeded_phrase(texts[4]), *texts[5:])
    return view


def variants(table: Table) -> Grid:
    """The variants of the space against the first of their stratum."""
    by_cell = {id(effect.cell): effect for effect in effects(table)}
    return Grid(
        "variants",
        "Variants",
        "Fixed configs, trained with fresh seeds and without search; they do not compete in the"
        " table. ± is the standard deviation over seeds. Variants of a stratum share their seeds:"
        " the difference to its first variant is the mean over pairs of the same seed, with"
        " Student's 95 % interval, not corrected for the number of variants; “Welch” stands where"
        " fewer than two seeds have a value on both sides. A variant that changes nothing in a"
        " stratum is not trained again there.",
        (
            *STRATUM, word("variant"), seeded_fid("test FID"),
            number("seeds", "num_seeds"), number("difference", text=signed_text),
            interval(prefix="difference", signed=True), word("FID is", "verdict"),
            word("by", "method"),
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
        **seed_row(cell),
        "difference": effect.difference if effect else None,
        **interval_row(effect.interval if effect else None, "difference"),
        "verdict": effect.verdict if effect else "base",
        "method": effect.method if effect else None,
    }
