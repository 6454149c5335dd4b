"""Two cells side by side: their comparison, and what it says in a sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from study.tables.cell import Cell
from study.tables.comparison import (
    MOST_SEEDS,
    UNDECIDED,
    Comparison,
    adjusted,
    compare,
    seeds_needed,
)
from study.text import MISSING, fid_text

Values = Callable[[Cell], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells and their comparison; None where either has fewer than two seeds.

    Attributes:
        first: compared with the second.
        second: the other cell.
        comparison: their test.
        deviation: the larger standard deviation over seeds of both; 0 where it is unknown.
        num_compared: pairs that are compared together with this one.
    """

    first: Cell
    second: Cell
    comparison: Comparison | None
    deviation: float = 0.0
    num_compared: int = 1

    @property
    def verdict(self) -> str:
        """`lower`, `higher` or `cannot tell`, of the first against the second."""
        return self.comparison.verdict if self.comparison else UNDECIDED

    @property
    def seeds_needed(self) -> int | None:
        """Seeds (or repeats) a side that would find this difference in four of five studies.

        None where more than `MOST_SEEDS` would be, or nothing is known.
        """
        if self.comparison is None:
            return None
        return seeds_needed(self.comparison.difference, self.deviation, self.num_compared)

    def __str__(self) -> str:
        names = f"{_name(self.first)} against {_name(self.second)}"
        if self.comparison is None:
            return f"{names}: fewer than two {self.first.unit}s on a side"
        low, high = self.comparison.interval
        return (
            f"{names}: {self.comparison.difference:+.2f} ({low:+.2f} … {high:+.2f}),"
            f" {self._test(self.comparison)}"
        )

    def _test(self, found: Comparison) -> str:
        """Its p and what that tells, by itself and among those made together."""
        p_text = f"p = {found.adjusted_p:.2g}"
        if found.verdict != UNDECIDED:
            return f"{p_text}, {found.verdict}"
        if found.own_verdict != UNDECIDED:
            return f"{p_text}, {found.own_verdict} on its own (p = {found.p_value:.2g})"
        needed = self.seeds_needed or f"more than {MOST_SEEDS}"
        remedy = f"{needed} {self.first.unit}s a side would find a difference of this size"
        return f"{p_text}, {UNDECIDED} ({remedy})"


def fids_of(cell: Cell) -> Sequence[float]:
    """The test FID of each seed: what cells are compared by where a table names nothing else."""
    return cell.test_fids


def compared(pairs: Iterable[tuple[Cell, Cell]], values: Values = fids_of) -> list[Pair]:
    """The pairs with their comparisons, adjusted for their number.

    Args:
        pairs: of cells.
        values: one for each seed of a cell.
    """
    cells = list(pairs)
    found = [compare(values(first), values(second)) for first, second in cells]
    known = iter(adjusted([comparison for comparison in found if comparison is not None]))
    return [
        pair_of(*pair, next(known) if comparison is not None else None, len(cells), values=values)
        for pair, comparison in zip(cells, found, strict=True)
    ]


def pair_of(
    first: Cell,
    second: Cell,
    comparison: Comparison | None,
    num_compared: int,
    *,
    values: Values = fids_of,
) -> Pair:
    """The pair with the larger deviation of its sides."""
    samples = (values(first), values(second))
    deviations = (float(np.std(own, ddof=1)) for own in samples if len(own) > 1)
    return Pair(first, second, comparison, max(deviations, default=0.0), num_compared)


def seeds_text(value: int | None, difference: float | None) -> str:
    """The seeds that a difference needs; how many at least where they are too many to count."""
    if value is None:
        return MISSING if difference is None else f"over {MOST_SEEDS}"
    return str(value)


def _name(cell: Cell) -> str:
    stratum = cell.stratum
    return f"{stratum.prior} {stratum.latent_size} ({fid_text(cell.mean)})"
