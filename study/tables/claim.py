"""The verdict on each claim of a study, with the comparisons of cells behind it.

What is compared: for an order its neighbours in every column of the table, for an equivalence
every two priors of a column, for a claim of monotony a prior's neighbouring latent sizes, for the
best each cell of the prior with each cell of the others. "Lower" and "higher" are Welch's tests at
5 %; how they decide stands in `study.tables.decision`. A missing or single seed never decides
anything.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from search_spaces.claim import BestClaim, Claim, EquivalenceClaim, NonMonotoneClaim, OrderClaim
from study.tables.cell import Cell
from study.tables.comparison import Comparison, compare
from study.tables.decision import (
    FAILS,
    decide_best,
    decide_equivalence,
    decide_monotone,
    decide_order,
    paid_for_choice,
)
from study.tables.pair import Pair, compared, pair_of
from study.tables.table import Table


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
    pairs = compared(
        step for column in complete for step in pairwise(column[prior] for prior in claim.priors)
    )
    missing = [None] * (len(columns) - len(complete))
    return _judgement(claim, decide_order([*_comparisons(pairs), *missing]), pairs)


def _judge_equivalence(claim: EquivalenceClaim, cells: Sequence[Cell]) -> Judgement:
    pairs = compared(pair for column in _columns(cells) for pair in combinations(column, 2))
    return _judgement(claim, decide_equivalence(_comparisons(pairs), claim.bound), pairs)


def _judge_monotone(claim: NonMonotoneClaim, cells: Sequence[Cell]) -> Judgement:
    own = [cell for cell in cells if cell.stratum.prior == claim.prior]
    steps = pairwise(sorted(own, key=lambda cell: cell.stratum.latent_size))
    pairs = compared((larger, smaller) for smaller, larger in steps)
    return _judgement(claim, decide_monotone(_comparisons(pairs)), pairs)


def _judge_best(claim: BestClaim, cells: Sequence[Cell]) -> Judgement:
    own = [cell for cell in cells if cell.stratum.prior == claim.prior]
    others = [cell for cell in cells if cell.stratum.prior != claim.prior]
    rows = paid_for_choice([[compare(a.test_fids, b.test_fids) for b in others] for a in own])
    verdict = decide_best(rows)
    shown = {id(_lowest(others if verdict == FAILS else own))}
    pairs = [
        pair_of(a, b, found, num_compared=len(own))
        for a, row in zip(own, rows, strict=True)
        for b, found in zip(others, row, strict=True)
        if shown & {id(a), id(b)}
    ]
    return _judgement(claim, verdict, pairs)


def _lowest(cells: Sequence[Cell]) -> Cell | None:
    return min(cells, key=lambda cell: math.inf if cell.mean is None else cell.mean, default=None)


def _columns(cells: Sequence[Cell]) -> list[list[Cell]]:
    sizes = dict.fromkeys(cell.stratum.latent_size for cell in cells)
    return [[cell for cell in cells if cell.stratum.latent_size == size] for size in sizes]


def _comparisons(pairs: Iterable[Pair]) -> list[Comparison | None]:
    return [pair.comparison for pair in pairs]


def _judgement(claim: Claim, verdict: str, pairs: Sequence[Pair]) -> Judgement:
    evidence = tuple(map(str, pairs)) or ("no cells to compare yet",)
    return Judgement(claim, verdict, evidence)
