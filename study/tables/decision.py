"""What the comparisons of a claim's cells decide about it: holds, fails, or cannot tell.

    order          holds: each prior is lower than the next, in every comparison on its own
                   fails: in some comparison it is higher, by Holm's p among all of them
    equivalent     holds: every pair lies within ±bound, each by two one-sided tests
                   fails: some pair lies beyond ±bound, by Holm's p among all of them
    not_monotone   holds: one step lowers the value and another raises it, by Holm's p
                   fails: every step moves it the same way, each on its own
    best           holds: one of the prior's cells is lower than every cell of the others
                   fails: one cell of the others is lower than every cell of the prior

Each is wrong in at most 5 % of studies. What every comparison must support needs no correction
(intersection-union, Berger 1982); where one of several is enough, their number counts. So it is
with the cell that is chosen as best by the very seeds that are then compared: its p is the largest
of its comparisons times the number of cells that it was chosen from. A comparison that could not
be made is None, and supports nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from study.tables.comparison import LEVEL, UNDECIDED, Comparison, holm

HOLDS, FAILS = "holds", "fails"
Comparisons = Sequence[Comparison | None]


def decide_order(steps: Comparisons) -> str:
    """Whether the first of every two is lower, given each two neighbours in the order."""
    return _verdict(
        holds=_all_are("lower", steps),
        fails=any(step is not None and step.verdict == "higher" for step in steps),
    )


def decide_equivalence(pairs: Comparisons, bound: float) -> str:
    """Whether no two differ by more than the bound."""
    known = [pair for pair in pairs if pair is not None]
    beyond = holm([pair.beyond_p(bound) for pair in known])
    is_complete = len(known) == len(pairs) > 0
    return _verdict(
        holds=is_complete and all(pair.equivalence_p(bound) < LEVEL for pair in known),
        fails=any(p_value < LEVEL for p_value in beyond),
    )


def decide_monotone(steps: Comparisons) -> str:
    """Whether the value both falls and rises, given each size against the one before."""
    found = {step.verdict for step in steps if step is not None}
    moves_one_way = _all_are("lower", steps) or _all_are("higher", steps)
    return _verdict(holds={"lower", "higher"} <= found, fails=len(steps) > 1 and moves_one_way)


def decide_best(rows: Sequence[Comparisons]) -> str:
    """Whether the lowest of all cells is the prior's.

    Args:
        rows: for each cell of the prior, its comparison with each cell of the others, with the p
            of `paid_for_choice`.
    """
    return _verdict(
        holds=any(_all_were_found("lower", row) for row in rows),
        fails=any(_all_were_found("higher", column) for column in zip(*rows, strict=True)),
    )


def paid_for_choice(rows: Sequence[Comparisons]) -> list[list[Comparison | None]]:
    """The comparisons of `decide_best`; p counts the cells that the lower one is chosen from."""
    return [
        [
            found and replace(found, adjusted_p=min(1.0, found.p_value * number))
            for found in row
            for number in [len(rows) if found and found.difference < 0 else len(row)]
        ]
        for row in rows
    ]


def _all_were_found(verdict: str, comparisons: Comparisons) -> bool:
    found = [
        comparison is not None and comparison.verdict == verdict for comparison in comparisons
    ]
    return bool(found) and all(found)


def _all_are(verdict: str, comparisons: Comparisons) -> bool:
    own = [found is not None and found.own_verdict == verdict for found in comparisons]
    return bool(own) and all(own)


def _verdict(*, holds: bool, fails: bool) -> str:
    return HOLDS if holds else FAILS if fails else UNDECIDED
