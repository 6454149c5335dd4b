"""The verdict on each claim of a study: holds, fails, or cannot tell.

    order          holds: each prior is lower than the next, at every latent size
                   fails: one is higher than the next, at some latent size
    equivalent     holds: every pair lies within ±bound, by two one-sided tests
                   fails: the 95 % interval of a pair lies outside ±bound
    not_monotone   holds: one step of the latent size lowers the FID and another raises it
                   fails: every step moves it the same way
    best           holds: the prior's best cell is lower than the best cell of every other
                   fails: the best cell of another is lower than it

"Lower" and "higher" are Welch's tests at 5 %, with Holm's correction among the comparisons that
one claim makes in one column of the table (`not_monotone` and `best`: in all). A missing or
single seed never decides anything. Choosing each prior's best cell by its own seeds favours no
prior, but makes its mean a little too good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from search_spaces.claim import BestClaim, Claim, EquivalenceClaim, NonMonotoneClaim, OrderClaim
from study.number import fid_text
from study.report.cell import Cell
from study.report.comparison import (
    LEVEL,
    MOST_SEEDS,
    Comparison,
    adjusted,
    compare,
    holm,
    seeds_needed,
)
from study.report.table import Table

HOLDS, FAILS, UNDECIDED = "holds", "fails", "cannot tell"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the table says of a claim.

    Attributes:
        claim: as the space has it.
        verdict: holds, fails, or cannot tell.
        evidence: the comparisons behind it, as sentences.
    """

    claim: Claim
    verdict: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells and their comparison; None where either has fewer than two seeds.

    Attributes:
        first: compared with the second.
        second: the other cell.
        comparison: their test.
        num_compared: pairs that are compared together with this one.
    """

    first: Cell
    second: Cell
    comparison: Comparison | None
    num_compared: int = 1

    @property
    def verdict(self) -> str:
        """`lower`, `higher` or `cannot tell`, of the first against the second."""
        return self.comparison.verdict if self.comparison else UNDECIDED

    @property
    def seeds_needed(self) -> int | None:
        """Seeds a side that would find a difference of this size in four of five studies.

        None where more than `MOST_SEEDS` would be, or nothing is known.
        """
        if self.comparison is None:
            return None
        deviation = max(c.standard_deviation or 0.0 for c in (self.first, self.second))
        return seeds_needed(self.comparison.difference, deviation, self.num_compared)

    def __str__(self) -> str:
        names = f"{_name(self.first)} against {_name(self.second)}"
        if self.comparison is None:
            return f"{names}: fewer than two seeds on a side"
        low, high = self.comparison.interval
        return (
            f"{names}: {self.comparison.difference:+.2f} ({low:+.2f} … {high:+.2f}),"
            f" p = {self.comparison.adjusted_p:.2g}, {self.verdict}"
            + f" ({self._remedy()})"
            * (self.verdict == UNDECIDED)
        )

    def _remedy(self) -> str:
        needed = self.seeds_needed or f"more than {MOST_SEEDS}"
        return f"{needed} seeds a side would find a difference of this size"


def judge(table: Table, claims: Iterable[Claim]) -> list[Judgement]:
    """A verdict on each claim, from the table as it stands."""
    return [_judge(table, claim) for claim in claims]


def _judge(table: Table, claim: Claim) -> Judgement:
    cells = [cell for cell in table.cells if cell.stratum.dataset == claim.dataset]
    match claim:
        case OrderClaim():
            return _judge_order(claim, cells)
        case EquivalenceClaim():
            return _judge_equivalence(claim, cells)
        case NonMonotoneClaim():
            return _judge_monotone(claim, cells)
        case BestClaim():
            return _judge_best(claim, cells)


def _judge_order(claim: OrderClaim, cells: Sequence[Cell]) -> Judgement:
    columns = [{cell.stratum.prior: cell for cell in column} for column in _columns(cells)]
    complete = [column for column in columns if set(claim.priors) <= set(column)]
    pairs = [
        pair
        for column in complete
        for pair in compared(pairwise(column[prior] for prior in claim.priors))
    ]
    verdicts = [pair.verdict for pair in pairs]
    holds = bool(pairs) and len(complete) == len(columns) and set(verdicts) == {"lower"}
    return _judgement(claim, pairs, holds=holds, fails="higher" in verdicts)


def _judge_equivalence(claim: EquivalenceClaim, cells: Sequence[Cell]) -> Judgement:
    groups = [compared(combinations(column, 2)) for column in _columns(cells)]
    pairs = [pair for group in groups for pair in group]
    known = [[pair.comparison for pair in group if pair.comparison] for group in groups]
    within = [p for group in known for p in holm([c.equivalence_p(claim.bound) for c in group])]
    outside = [
        comparison.interval[0] > claim.bound or comparison.interval[1] < -claim.bound
        for group in known
        for comparison in group
    ]
    holds = bool(pairs) and len(within) == len(pairs) and max(within) < LEVEL
    return _judgement(claim, pairs, holds=holds, fails=any(outside))


def _judge_monotone(claim: NonMonotoneClaim, cells: Sequence[Cell]) -> Judgement:
    own = [cell for cell in cells if cell.stratum.prior == claim.prior]
    steps = pairwise(sorted(own, key=lambda cell: cell.stratum.latent_size))
    pairs = compared((larger, smaller) for smaller, larger in steps)
    verdicts = {pair.verdict for pair in pairs}
    fails = len(pairs) > 1 and verdicts in ({"lower"}, {"higher"})
    return _judgement(claim, pairs, holds={"lower", "higher"} <= verdicts, fails=fails)


def _judge_best(claim: BestClaim, cells: Sequence[Cell]) -> Judgement:
    best: dict[str, Cell] = {}
    for cell in cells:
        known = best.get(cell.stratum.prior)
        if cell.mean is not None and (known is None or cell.mean < (known.mean or 0.0)):
            best[cell.stratum.prior] = cell
    others = [cell for prior, cell in best.items() if prior != claim.prior]
    own = best.get(claim.prior)
    pairs = compared((own, other) for other in others) if own else []
    verdicts = [pair.verdict for pair in pairs]
    rivals = {cell.stratum.prior for cell in cells} - {claim.prior}
    holds = len(verdicts) == len(rivals) > 0 and set(verdicts) == {"lower"}
    return _judgement(claim, pairs, holds=holds, fails="higher" in verdicts)


def compared(pairs: Iterable[tuple[Cell, Cell]]) -> list[Pair]:
    """The pairs with their comparisons, adjusted for their number."""
    cells = list(pairs)
    found = [compare(first.test_fids, second.test_fids) for first, second in cells]
    known = iter(adjusted([comparison for comparison in found if comparison is not None]))
    return [
        Pair(first, second, next(known) if comparison is not None else None, len(cells))
        for (first, second), comparison in zip(cells, found, strict=True)
    ]


def _columns(cells: Sequence[Cell]) -> list[list[Cell]]:
    sizes = dict.fromkeys(cell.stratum.latent_size for cell in cells)
    return [[cell for cell in cells if cell.stratum.latent_size == size] for size in sizes]


def _judgement(claim: Claim, pairs: Sequence[Pair], *, holds: bool, fails: bool) -> Judgement:
    verdict = HOLDS if holds else FAILS if fails else UNDECIDED
    evidence = tuple(map(str, pairs)) or ("no cells to compare yet",)
    return Judgement(claim, verdict, evidence)


def _name(cell: Cell) -> str:
    stratum = cell.stratum
    return f"{stratum.prior} {stratum.latent_size} ({fid_text(cell.mean)})"
