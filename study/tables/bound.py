"""Test ELBOs, how far below log p(x) they lie, and whether they differ between priors.

    looseness = log p(x) - ELBO >= 0, both of the same images

A bound compares bounds: a prior whose ELBO is looser may hold the higher log p(x).
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from study.tables.cell import Cell
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
from study.tables.pair import Pair, compared
from study.tables.seed import deviation_of, seed_row, tests_of, unit_of, values_of
from study.tables.table import Table
from study.text import MISSING, nats_text, signed_text
from trainables.convergence import FEWEST_EFFECTIVE_SAMPLES, LARGEST_RISE

CONVERGED, NOT_CONVERGED = "converged", "not converged"
_COLUMN = ("dataset", "latent_size")
_MEANS = ("test_elbo", "evidence", "looseness")


def bounds(table: Table) -> Grid:
    """The test ELBO of each cell and variant beside the estimate of log p(x)."""
    cells = [cell for cell in (*table.by_column(), *table.variants) if elbos_of(cell)]
    return Grid(
        "bounds",
        "How tight the bounds are",
        f"In nats per image, as mean ± standard deviation over {unit_of(cells)}s. The ELBO is"
        " that of the whole test split. log p(x) is estimated with weighted draws from the"
        f" posterior{_asked(cells)}; its expectation lies below the truth and rises with the"
        " draws. Looseness is that estimate minus the ELBO of the same images: the part of an"
        " ELBO's gap that is the bound's. The error is its standard error over images. The"
        " estimate has not converged where a tenth of the draws moves it by more than"
        f" {LARGEST_RISE:g} nats, or the median image has fewer than {FEWEST_EFFECTIVE_SAMPLES:g}"
        " effective draws, in any seed: ≥ then stands before log p(x) and looseness.",
        (
            *STRATUM, *([word("variant")] if table.variants else []),
            Column("test ELBO ↑", ("test_elbo", "test_elbo_deviation"), nats_text),
            _at_least("log p(x) ↑", "evidence"), _at_least("looseness ↓", "looseness"),
            number("error", "looseness_error", nats_text),
            number("effective draws", "effective_samples", _draws_text),
            number("at a tenth of the draws", "evidence_tenth", nats_text),
            word("estimate", "convergence"), number("seeds", "num_tested"),
        ),
        [_row(cell) for cell in cells],
        group_by=_COLUMN,
    )  # fmt: skip


def elbo_comparisons(table: Table) -> Grid:
    """Every two priors of a column by test ELBO, with Welch's test."""
    rows = []
    for column in table.columns().values():
        known = [cell for cell in column if elbos_of(cell)]
        pairs = compared(combinations(known, 2), elbos_of)
        beside = compared(combinations(known, 2), _evidence_of)
        rows += [_pair_row(*both) for both in zip(pairs, beside, strict=True)]
    return Grid(
        "elbo_comparisons",
        "Comparisons of ELBOs between priors",
        "Difference of the mean test ELBOs in nats per image, with Welch's 95 % interval; p is"
        " Holm's, for all comparisons of one data set and latent size; higher is better. A bound"
        " compares bounds: part of such a difference may be that one prior's bound is looser. The"
        " last columns compare the estimates of log p(x) alike, where both have converged.",
        (
            *STRATUM, word("against"), number("difference", text=signed_text),
            interval(prefix="difference", signed=True), number("p", "adjusted_p", p_text),
            word("its ELBO is", "verdict"),
            number("in log p(x)", "evidence_difference", signed_text),
            interval(prefix="evidence", signed=True),
            word("its log p(x) is", "evidence_verdict"),
        ),
        rows,
        group_by=_COLUMN,
    )  # fmt: skip


def elbos_of(cell: Cell) -> Sequence[float]:
    """Test ELBO of each seed, or repeat, in nats per image; higher is better."""
    return values_of(cell, "test_elbo")


def convergence(cell: Cell) -> str | None:
    """Whether the estimates of all seeds have converged; None where there is none."""
    found = [test.evidence_is_converged for test in tests_of(cell)]
    known = [has_converged for has_converged in found if has_converged is not None]
    if not known:
        return None
    return CONVERGED if all(known) else NOT_CONVERGED


def _evidence_of(cell: Cell) -> Sequence[float]:
    """The estimate of log p(x) of each seed, where all of them have converged."""
    return values_of(cell, "evidence") if convergence(cell) == CONVERGED else ()


def _asked(cells: Iterable[Cell]) -> str:
    """Draws and images of the estimates, as the studies were asked for them."""
    asked = {
        (test.evidence_samples, test.evidence_images)
        for cell in cells
        for test in tests_of(cell)
        if test.evidence is not None
    }
    if not asked:
        return ", which was not asked for here"
    texts = (f"{draws} for each of {images} images" for draws, images in sorted(asked))
    return f" (K = {' or '.join(texts)})"


def _row(cell: Cell) -> Row:
    draws = [test.effective_samples for test in tests_of(cell)]
    known = [value for value in draws if value is not None]
    return {
        **stratum_row(cell.stratum),
        "variant": cell.variant,
        **{name: cell.mean_part(name) for name in _MEANS},
        **{f"{name}_deviation": deviation_of(values_of(cell, name)) for name in _MEANS},
        "looseness_error": cell.mean_part("looseness_error"),
        "effective_samples": min(known, default=None),
        "evidence_tenth": cell.mean_part("evidence_tenth"),
        "convergence": convergence(cell),
        **seed_row(cell),
    }


def _pair_row(pair: Pair, beside: Pair) -> Row:
    found, of_evidence = pair.comparison, beside.comparison
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
        "evidence_difference": of_evidence.difference if of_evidence else None,
        **interval_row(of_evidence.interval if of_evidence else None, "evidence"),
        "evidence_verdict": of_evidence.verdict if of_evidence else _why_not(pair),
    }


def _why_not(pair: Pair) -> str:
    """Why two estimates of log p(x) are not compared."""
    states = {convergence(cell) for cell in (pair.first, pair.second)}
    return NOT_CONVERGED if NOT_CONVERGED in states else MISSING


def _at_least(header: str, key: str) -> Column:
    """A column of estimates that more draws would raise where they have not converged."""
    return Column(header, (key, f"{key}_deviation", "convergence"), _estimate_text)


def _estimate_text(value: float | None, deviation: float | None, convergence: str | None) -> str:
    return "≥ " * (convergence == NOT_CONVERGED) + nats_text(value, deviation)


def _draws_text(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"
