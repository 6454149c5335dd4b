"""Verdicts on claims: what holds, what fails, and what few seeds cannot tell."""

import re
from collections.abc import Mapping

import pytest

from search_spaces import Stratum, StudySpec, load_space
from study.record import TrialRecord
from study.tables.claim import judge
from study.tables.table import Table, build_table
from study.tables.verdict import claims
from tests.study.made_up import confirm_seeds

SPEC = load_space("digits")
THREE_SIZES = load_space("digits", ["strata.latent_size=8,16,32"])
Means = Mapping[tuple[str, int], float]
ORDERED = {
    ("flow", 8): 20.0, ("diffusion", 8): 40.0, ("gaussian", 8): 60.0,
    ("flow", 16): 18.0, ("diffusion", 16): 30.0, ("gaussian", 16): 50.0,
}  # fmt: skip


def table(means: Means, spec: StudySpec, spread: float = 1.0, num_seeds: int = 5) -> Table:
    records = [
        record
        for (prior, size), mean in means.items()
        for record in seeds_of(Stratum("digits", prior, size), mean, spread, num_seeds)
    ]
    confirm = spec.confirm.model_copy(update={"num_seeds": num_seeds})
    return build_table(spec.model_copy(update={"confirm": confirm}), records)


def seeds_of(stratum: Stratum, mean: float, spread: float, num: int) -> list[TrialRecord]:
    offsets = [spread * (n - (num - 1) / 2) / max(1, num - 1) for n in range(num)]
    return confirm_seeds(stratum, [mean + offset for offset in offsets])


def claiming(claim: dict[str, object], spec: StudySpec = SPEC) -> StudySpec:
    claims = [{"name": "C", "dataset": "digits"} | claim]
    return StudySpec.model_validate(spec.model_dump() | {"claims": claims})


def verdict(
    claim: dict[str, object], means: Means, spec: StudySpec = SPEC, **options: object
) -> str:
    return judge(table(means, spec, **options), claiming(claim, spec).claims)[0].verdict


ORDER = {"kind": "order", "priors": ["flow", "diffusion", "gaussian"]}
MONOTONE = {"kind": "not_monotone", "prior": "diffusion"}
BEST = {"kind": "best", "prior": "flow"}


def within(bound: float) -> dict[str, object]:
    return {"kind": "equivalent", "bound": bound, "reason": "made up"}


def test_an_order_holds_where_every_step_of_it_is_real() -> None:
    assert verdict(ORDER, ORDERED) == "holds"


def test_an_order_fails_where_one_step_is_the_other_way() -> None:
    assert verdict(ORDER, ORDERED | {("flow", 16): 35.0}) == "fails"


def test_an_order_within_the_noise_cannot_be_told() -> None:
    assert verdict(ORDER, ORDERED, spread=80.0) == "cannot tell"
    assert verdict(ORDER, ORDERED | {("flow", 16): 29.9}) == "cannot tell"


@pytest.mark.parametrize("claim", [ORDER, MONOTONE, BEST, within(50.0)])
def test_one_seed_never_decides(claim: dict[str, object]) -> None:
    assert verdict(claim, ORDERED, num_seeds=1) == "cannot tell"
    assert verdict(claim, {}) == "cannot tell"


def test_an_order_with_a_column_missing_does_not_hold() -> None:
    partial = {key: value for key, value in ORDERED.items() if key != ("gaussian", 16)}
    assert verdict(ORDER, partial) == "cannot tell"


def test_no_difference_needs_a_bound_and_not_a_failed_test() -> None:
    close = {key: 40.0 + 0.5 * place for place, key in enumerate(ORDERED)}
    assert verdict(within(5.0), close) == "holds"
    # The same means, too noisy to tell: a test of difference would fail as well.
    assert verdict(within(5.0), close, spread=30.0) == "cannot tell"
    assert verdict(within(5.0), ORDERED) == "fails"


def sizes(*means: float) -> Means:
    return {("diffusion", size): mean for size, mean in zip((8, 16, 32), means, strict=False)}


def test_not_monotone_means_both_ways() -> None:
    assert verdict(MONOTONE, sizes(60.0, 30.0, 45.0), THREE_SIZES) == "holds"
    assert verdict(MONOTONE, sizes(60.0, 45.0, 30.0), THREE_SIZES) == "fails"
    assert verdict(MONOTONE, sizes(60.0, 30.0, 30.1), THREE_SIZES) == "cannot tell"


def test_the_best_is_better_than_the_best_of_every_other() -> None:
    assert verdict(BEST, ORDERED) == "holds"
    assert verdict(BEST, ORDERED | {("gaussian", 16): 10.0}) == "fails"
    assert verdict(BEST, ORDERED | {("gaussian", 16): 18.1}) == "cannot tell"


def test_a_latent_size_without_a_value_leaves_the_best_undecided() -> None:
    partial = {key: value for key, value in ORDERED.items() if key != ("gaussian", 8)}
    assert verdict(BEST, partial) == "cannot tell"


def test_the_best_pays_for_having_been_chosen_by_its_own_seeds() -> None:
    # Of three sizes the flow's best is compared; p = 0.026 alone would do.
    means = {(prior, size): 30.0 for prior in ("flow", "gaussian") for size in (8, 16, 32)}
    means |= {("flow", 8): 20.0}
    spec = load_space("digits", ["strata.prior=flow,gaussian", "strata.latent_size=8,16,32"])
    assert verdict(BEST, means, spec, spread=14.5) == "cannot tell"
    (found,) = judge(table(means, spec, spread=14.5), claiming(BEST, spec).claims)
    assert "lower on its own (p = 0.02" in found.evidence[0]
    assert verdict(BEST, means, spec, spread=10.0) == "holds"


def test_an_order_holds_where_every_step_does_on_its_own() -> None:
    # Six steps at p = 0.026: Holm's 0.16 would find no single one of them.
    means = {
        (prior, size): 20.0 + 10.0 * place
        for place, prior in enumerate(ORDER["priors"])
        for size in (8, 16, 32)
    }
    assert verdict(ORDER, means, THREE_SIZES, spread=14.5) == "holds"
    reverse = {"kind": "order", "priors": ORDER["priors"][::-1]}
    assert verdict(reverse, means, THREE_SIZES, spread=14.5) == "cannot tell"


def test_the_evidence_names_cells_differences_and_p() -> None:
    evidence = judge(table(ORDERED, SPEC), claiming(ORDER).claims)[0].evidence
    assert len(evidence) == 4
    assert "flow 8 (20.00) against diffusion 8 (40.00): -20.00" in evidence[0]
    assert "lower" in evidence[0]


def test_what_cannot_be_told_names_the_seeds_that_would() -> None:
    means = ORDERED | {("diffusion", 8): 20.4}
    (verdict,) = judge(table(means, SPEC, spread=4.0, num_seeds=3), claiming(ORDER).claims)
    assert verdict.verdict == "cannot tell"
    (undecided,) = [text for text in verdict.evidence if "cannot tell" in text]
    assert re.search(r"cannot tell \((more than )?\d+ seeds a side would find", undecided)
    assert all("would find" not in text for text in verdict.evidence if text != undecided)


def test_a_bound_stands_with_its_reason_beside_its_verdict() -> None:
    spec = claiming(within(5.0))
    (row,) = claims(spec, table(ORDERED, SPEC)).rows
    assert row["reason"] == "Why 5: made up."
    assert "Why 5: made up." in claims(spec, table(ORDERED, SPEC)).texts()[0][0]
    stored = StudySpec.model_validate(spec.model_dump() | {"revision": 1})
    (row,) = claims(stored, table(ORDERED, SPEC)).rows
    assert row["reason"] == "Why 5: the space gives no reason."
