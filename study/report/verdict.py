"""Whether priors differ, and whether the claims of the space hold, as tables for the report."""

import itertools

from search_spaces import StudySpec
from study.number import MISSING
from study.report.cell import Cell
from study.report.claim import Pair, compared, judge
from study.report.comparison import seeds_needed
from study.report.digest import WORDS, Grid
from study.report.table import Table


def comparisons(table: Table) -> Grid:
    """Every two priors of a column, with Welch's test."""
    rows = []
    for column in table.columns().values():
        pairs = compared(itertools.combinations(column, 2))
        rows += [(*_column_names(p.first), *_comparison(p, len(pairs))) for p in pairs]
    return Grid(
        "Comparisons between priors",
        "Difference of the mean test FIDs with Welch's 95 % interval; p is Holm's, for all"
        " comparisons of one data set and latent size. “cannot tell” is no claim of equality:"
        " the last column says how many seeds a side would find a difference of this size in four"
        " of five studies.",
        ("dataset", "latent size", "prior", "against", "difference", "95 % interval", "p",
         "its FID is", "seeds needed"),
        rows,
        words=WORDS | {"against", "its FID is"},
    )  # fmt: skip


def claims(spec: StudySpec, table: Table) -> Grid:
    """The verdict on each claim of the space."""
    return Grid(
        "Claims",
        "Written in the space before it ran. Each verdict follows from the tests beside it, with"
        " Holm's correction; “cannot tell” means that these seeds cannot decide.",
        ("claim", "verdict", "evidence"),
        [
            (f"{j.claim.name}: {j.claim.text}" if j.claim.text else j.claim.name, j.verdict,
             "; ".join(j.evidence))
            for j in judge(table, (c for c in spec.claims if c.dataset in spec.strata.dataset))
        ],
        words=WORDS | {"claim", "verdict", "evidence"},
    )  # fmt: skip


def _column_names(cell: Cell) -> tuple[str, str]:
    return cell.stratum.dataset, str(cell.stratum.latent_size)


def _comparison(pair: Pair, num_comparisons: int) -> tuple[str, ...]:
    names = pair.first.stratum.prior, pair.second.stratum.prior
    found = pair.comparison
    if found is None:
        return (*names, MISSING, MISSING, MISSING, "one seed is not enough", MISSING)
    low, high = found.interval
    deviation = max(cell.standard_deviation or 0.0 for cell in (pair.first, pair.second))
    needed = seeds_needed(found.difference, deviation, num_comparisons)
    return (
        *names, f"{found.difference:+.2f}", f"{low:+.2f} … {high:+.2f}",
        f"{found.adjusted_p:.2g}", found.verdict, "over 200" if needed is None else str(needed),
    )  # fmt: skip
