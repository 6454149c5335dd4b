"""Test ELBOs beside estimates of log p(x): what the bound gives away, and what differs."""

from typing import Any

import pytest
from scipy.stats import ttest_ind

from search_spaces import Stratum, load_space
from study.record import TrialRecord
from study.tables.bound import bounds, elbo_comparisons
from study.tables.table import Table, build_table
from tests.study.made_up import confirm_seeds

SPEC = load_space("digits", ["strata.latent_size=8"])
GAUSSIAN, FLOW, DIFFUSION = SPEC.cells()
ELBOS = {GAUSSIAN: [-19.0, -19.4, -19.1], FLOW: [-16.2, -16.5, -16.1]}


def seeds(stratum: Stratum, elbos: list[float], **parts: Any) -> list[TrialRecord]:
    """Confirm seeds whose estimates of log p(x) lie 7 nats above their ELBOs."""
    evidence = [elbo + 7.0 for elbo in elbos]
    estimate = {
        "test_elbo": elbos, "evidence": evidence, "evidence_tenth": [e - 0.3 for e in evidence],
        "effective_samples": [30.0 + n for n in range(len(elbos))], "evidence_elbo": elbos,
        "looseness": 7.0, "looseness_error": 0.2, "evidence_samples": 100, "evidence_images": 359,
    }  # fmt: skip
    return confirm_seeds(stratum, [30.0] * len(elbos), **estimate | parts)


def table(**parts: Any) -> Table:
    return build_table(SPEC, [r for s, elbos in ELBOS.items() for r in seeds(s, elbos, **parts)])


def test_the_looseness_stands_beside_the_elbo_with_its_deviation() -> None:
    grid = bounds(table())
    first, second = grid.rows
    assert (first["prior"], second["prior"]) == ("gaussian", "flow")
    assert first["test_elbo"] == pytest.approx(-19.1667, abs=1e-3)
    assert first["test_elbo_deviation"] == pytest.approx(0.2082, abs=1e-3)
    assert first["evidence"] - first["test_elbo"] == pytest.approx(first["looseness"])
    assert first["effective_samples"] == 30  # of the seed that has fewest
    assert first["convergence"] == "converged"
    assert "K = 100 for each of 359 images" in grid.caption
    assert "−19.17 ± 0.21" in grid.texts()[0]
    assert "≥" not in "".join(grid.texts()[0])


@pytest.mark.parametrize(
    "parts",
    [
        {"evidence_tenth": [-12.5, -12.4, -12.7]},  # the third moved by 0.6
        {"effective_samples": [9.0, 4.9, 9.0]},
    ],
)
def test_one_seed_that_has_not_converged_is_told(parts: dict[str, Any]) -> None:
    grid = bounds(build_table(SPEC, seeds(GAUSSIAN, ELBOS[GAUSSIAN], **parts)))
    (row,) = grid.rows
    assert row["convergence"] == "not converged"
    (texts,) = grid.texts()
    assert texts[grid.headers.index("looseness ↓")] == "≥ 7.00 ± 0.00"
    assert texts[grid.headers.index("log p(x) ↑")].startswith("≥ −12.17")


def test_nothing_is_shown_without_a_bound_and_no_evidence_where_none_was_asked_for() -> None:
    without = build_table(SPEC, confirm_seeds(FLOW, [30.0, 31.0]))
    assert not bounds(without).rows
    assert not elbo_comparisons(without).rows
    bare = {
        name: None for name in ("evidence", "evidence_tenth", "looseness", "effective_samples")
    }
    grid = bounds(table(**bare))
    assert grid.rows[0]["convergence"] is None
    assert "not asked for here" in grid.caption


def test_elbos_are_compared_by_welch_with_holms_p() -> None:
    third = {DIFFUSION: [-17.0, -16.4, -16.9]}
    records = [r for s, elbos in (ELBOS | third).items() for r in seeds(s, elbos)]
    rows = elbo_comparisons(build_table(SPEC, records)).rows
    assert len(rows) == 3
    first = rows[0]
    test = ttest_ind(ELBOS[GAUSSIAN], ELBOS[FLOW], equal_var=False)
    assert first["p_value"] == pytest.approx(test.pvalue)
    assert first["difference_low"] == pytest.approx(test.confidence_interval(0.95).low)
    assert first["adjusted_p"] == pytest.approx(min(1, 3 * test.pvalue))
    assert (first["prior"], first["against"], first["verdict"]) == ("gaussian", "flow", "lower")


def test_log_p_is_compared_only_where_both_estimates_have_converged() -> None:
    row = elbo_comparisons(table()).rows[0]
    assert row["evidence_difference"] == pytest.approx(row["difference"])
    assert row["evidence_verdict"] == "lower"
    row = elbo_comparisons(table(effective_samples=2.0)).rows[0]
    assert row["evidence_difference"] is None
    assert row["evidence_verdict"] == "not converged"
    assert row["verdict"] == "lower"


def test_one_seed_is_no_comparison_of_bounds() -> None:
    records = [r for s, elbos in ELBOS.items() for r in seeds(s, elbos[:1])]
    (row,) = elbo_comparisons(build_table(SPEC, records)).rows
    assert row["verdict"] == "one seed is not enough"
