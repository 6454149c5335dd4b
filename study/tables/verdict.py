"""Whether priors differ, and whether the claims of the space hold, as tables for the report."""

import itertools

from search_spaces import StudySpec
from search_spaces.claim import Claim, EquivalenceClaim
from study.tables.claim import judge
from study.tables.grid import (
    STRATUM,
    Column,
    Grid,
    Row,
    interval,
    interval_row,
    number,
    p_text,
    stratum_row,
    word,
)
from study.tables.pair import Pair, compared, seeds_text
from study.tables.seed import unit_of
from study.tables.table import Table
from study.text import signed_text


def comparisons(table: Table) -> Grid:
    """Every two priors of a column, with Welch's test."""
    unit = unit_of(table.cells)
    rows = []
    for column in table.columns().values():
        pairs = compared(itertools.combinations(column, 2))
        rows += [_row(pair) for pair in pairs]
    return Grid(
        "comparisons",
        "Comparisons between priors",
        "Difference of the mean test FIDs with Welch's 95 % interval; p is Holm's, for all"
        " comparisons of one data set and latent size. “cannot tell” is not a claim of equality:"
        f" the last column says how many {unit}s a side would find a difference of this size in"
        " four of five studies.",
        (
            *STRATUM, word("against"), number("difference", text=signed_text),
            interval(prefix="difference", signed=True), number("p", "adjusted_p", p_text),
            word("its FID is", "verdict"),
            Column(f"{unit}s needed", ("seeds_needed", "difference"), seeds_text),
        ),
        rows,
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def claims(spec: StudySpec, table: Table) -> Grid:
    """The verdict on each claim of the space."""
    return Grid(
        "claims",
        "Claims",
        "Written in the space before it ran. Each verdict follows from the tests beside it and is"
        " wrong in at most one study in twenty: what one of several comparisons is enough for"
        " goes by Holm's p among all of the claim's, what every one must support by each on its"
        " own, and a best cell pays for having been chosen. “cannot tell” means that these seeds"
        " cannot decide. How many would follows from the differences and deviations seen, which"
        " few seeds give only roughly.",
        (
            Column("claim", ("claim", "reason"), _claim_text, is_word=True),
            word("verdict"), word("evidence"),
        ),
        [
            {"claim": f"{j.claim.name}: {j.claim.text}" if j.claim.text else j.claim.name,
             "reason": _reason(j.claim), "verdict": j.verdict, "evidence": "; ".join(j.evidence)}
            for j in judge(table, (c for c in spec.claims if c.dataset in spec.strata.dataset))
        ],
    )  # fmt: skip


def _reason(claim: Claim) -> str | None:
    if not isinstance(claim, EquivalenceClaim):
        return None
    return f"Why {claim.bound:g}: {claim.reason or 'the space gives no reason'}."


def _claim_text(claim: str, reason: str | None) -> str:
    return f"{claim}. {reason}" if reason else claim


def _row(pair: Pair) -> Row:
    found = pair.comparison
    names = {**stratum_row(pair.first.stratum), "against": pair.second.stratum.prior}
    if found is None:
        return names | {"verdict": f"one {pair.first.unit} is not enough"}
    return {
        **names,
        "difference": found.difference,
        **interval_row(found.interval, "difference"),
        "p_value": found.p_value,
        "adjusted_p": found.adjusted_p,
        "verdict": found.verdict,
        "seeds_needed": pair.seeds_needed,
    }
