"""How often comparisons and verdicts are wrong at 5 %, over thousands of simulated studies."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from search_spaces import Stratum, StudySpec, load_space
from study.tables.bound import elbo_comparisons
from study.tables.claim import judge
from study.tables.grid import Grid
from study.tables.table import Table, build_table
from study.tables.variant import effects
from study.tables.verdict import comparisons
from tests.study.made_up import confirm_seeds
from tests.study.tables.simulated_size import (
    BOUND,
    CASES,
    FAULTS,
    NUM_SEEDS,
    ONE_STRATUM,
    Case,
    Noise,
)

NUM_STUDIES = 3000
LARGEST = 0.065
PRIORS = ("flow", "diffusion", "gaussian")
SIZES = (4, 8, 16, 32)
BY_SIZE = [Stratum("digits", prior, size) for size in SIZES[:3] for prior in PRIORS]
BY_PRIOR = [Stratum("digits", prior, size) for prior in PRIORS for size in SIZES[:3]]
OF_ONE = [Stratum("digits", "flow", size) for size in SIZES]
# Claims, the cells in the order of the simulation, and truths under which every verdict comes up.
CLAIMS: dict[str, tuple[dict[str, Any], list[Stratum], tuple[float, ...]]] = {
    "order": (
        {"kind": "order", "priors": PRIORS}, BY_SIZE, (0.0, 14.0, 28.0) * 2 + (0.0, 14.0, 18.0)
    ),
    "equivalent": (
        {"kind": "equivalent", "bound": BOUND, "reason": "made up"}, BY_SIZE, (0.0, 0.0, 17.0) * 3
    ),
    "not_monotone": ({"kind": "not_monotone", "prior": "flow"}, OF_ONE, (24.0, 10.0, 20.0, 10.0)),
    "best": ({"kind": "best", "prior": "flow"}, BY_PRIOR, (0.0, 14.0, 14.0) + (14.0,) * 6),
}  # fmt: skip


@pytest.mark.parametrize("num_seeds", NUM_SEEDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_nothing_is_called_or_claimed_more_often_than_the_level(
    case: Case, num_seeds: int
) -> None:
    assert case.size(num_seeds, NUM_STUDIES) < LARGEST


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_draw_that_all_seeds_share_would_be_seen(fault: Case) -> None:
    sizes = [fault.size(num_seeds, NUM_STUDIES) for num_seeds in NUM_SEEDS]
    assert sizes == sorted(sizes)
    assert min(sizes[1:]) > LARGEST
    assert sizes[-1] > 0.15


@pytest.mark.parametrize("kind", CLAIMS)
def test_what_is_simulated_is_what_the_report_does(kind: str) -> None:
    claim, strata, truth = CLAIMS[kind]
    samples = Noise().samples(truth, 4, 60)
    simulated = list(CASES[f"{kind} holds"].decide(samples))
    spec = question(claim)
    reported = [judge(table(spec, strata, own), spec.claims)[0].verdict for own in samples]
    assert reported == simulated
    assert len(set(simulated)) > 1


@pytest.mark.parametrize(
    ("name", "compare"), [("a column", comparisons), ("a column, ELBO", elbo_comparisons)]
)
def test_a_column_is_simulated_as_the_report_compares_it(
    name: str, compare: Callable[[Table], Grid]
) -> None:
    samples = Noise(seed=1.0).samples((0.0, 1.0, 2.0), 4, 60)
    spec = load_space("digits", ["strata.latent_size=4"])
    grids = [compare(table(spec, BY_SIZE[:3], own)) for own in samples]
    called = [any(row["verdict"] != "cannot tell" for row in grid.rows) for grid in grids]
    assert called == [verdict == "called" for verdict in CASES[name].decide(samples)]
    assert len(set(called)) == 2


def test_two_variants_are_simulated_as_the_report_compares_them() -> None:
    samples = ONE_STRATUM.samples((0.0, 4.0), 4, 60)
    spec = load_space("kl_annealing", ["strata.prior=flow", "strata.latent_size=8"])
    (stratum,), (first, second, *_) = spec.cells(), spec.variants
    reported = []
    for sides in samples.tolist():
        records = [
            record
            for name, fids in zip((first, second), sides, strict=True)
            for record in confirm_seeds(stratum, fids, slot=name, attributes={"variant": name})
        ]
        found = [e for e in effects(build_table(spec, records)) if e.cell.variant == second]
        reported += [effect.verdict for effect in found]
    # The report takes the second from the first's side, the simulation the first.
    mirror = {"lower": "higher", "higher": "lower"}
    simulated = [mirror.get(v, v) for v in CASES["two variants in pairs"].decide(samples)]
    assert reported == simulated
    assert len(set(simulated)) > 1


def question(claim: dict[str, Any]) -> StudySpec:
    values = load_space("digits", ["strata.latent_size=4,8,16,32"]).model_dump()
    return StudySpec.model_validate(
        values | {"claims": [{"name": "C", "dataset": "digits"} | claim]}
    )


def table(spec: StudySpec, strata: Sequence[Stratum], samples: Any) -> Table:
    records = [
        record
        for stratum, fids in zip(strata, samples.tolist(), strict=True)
        for record in confirm_seeds(stratum, fids, test_elbo=fids)
    ]
    sizes = sorted({stratum.latent_size for stratum in strata})
    axes = spec.strata.model_copy(update={"latent_size": tuple(sizes)})
    return build_table(spec.model_copy(update={"strata": axes}), records)
