from collections.abc import Callable
from dataclasses import replace

import pytest
from numpy.random import default_rng

from search_spaces import StudySpec, load_space
from study.ledger.importance import importances
from study.record import TrialRecord
from study.tables.searched_field import field_importances
from study.tables.table import build_table

MakeRecords = Callable[..., list[TrialRecord]]


def test_the_field_that_decides_has_the_larger_share(spec: StudySpec) -> None:
    domains = spec.domains["all"]
    rng = default_rng(0)
    annealings = domains["kl_annealing.kind"].values
    trials = [
        (
            {"optimizer.learning_rate": rate, "kl_annealing.kind": str(rng.choice(annealings))},
            abs(rate - 2e-3),
        )
        for rate in rng.uniform(5e-4, 5e-3, 80)
    ]
    found = importances(domains, trials)
    assert sum(found.values()) == pytest.approx(1)
    assert found["optimizer.learning_rate"] > 0.8


def test_a_value_outside_of_its_domain_is_left_out(spec: StudySpec) -> None:
    domains = {"optimizer.learning_rate": spec.domains["all"]["optimizer.learning_rate"]}
    inside = [({"optimizer.learning_rate": 1e-3 * n}, float(n)) for n in range(1, 5)]
    outside = [({"optimizer.learning_rate": 9.0}, 0.0), ({}, 0.0)]
    assert importances(domains, [*inside, *outside]) == importances(domains, inside)


def test_few_trials_are_too_few(spec: StudySpec, synthetic_records: MakeRecords) -> None:
    grid = field_importances(spec, build_table(spec, synthetic_records(spec)))
    assert not grid.rows
    assert "No stratum has 12 search trials yet" in grid.missing


def test_shares_of_a_stratum_sum_to_one(synthetic_records: MakeRecords) -> None:
    spec = load_space("digits", ["strata.prior=flow", "strata.latent_size=8"])
    records = synthetic_records(spec, num_trials=20)
    rng = default_rng(1)
    records = [_with_rate(record, float(rng.uniform(5e-4, 5e-3))) for record in records]
    rows = field_importances(spec, build_table(spec, records)).rows
    assert sum(row["importance"] for row in rows) == pytest.approx(1)
    assert [row["importance"] for row in rows] == sorted(
        (row["importance"] for row in rows), reverse=True
    )


def test_a_field_that_never_varied_has_no_share(synthetic_records: MakeRecords) -> None:
    spec = load_space("digits", ["strata.prior=flow", "strata.latent_size=8"])
    records = [_with_rate(r, 1e-3) for r in synthetic_records(spec, num_trials=20)]
    rows = field_importances(spec, build_table(spec, records)).rows
    shares = {row["field"]: row["importance"] for row in rows}
    assert shares["optimizer.learning_rate"] == 0
    assert sum(shares.values()) == pytest.approx(1)


def _with_rate(record: TrialRecord, rate: float) -> TrialRecord:
    optimizer = record.config["optimizer"] | {"learning_rate": rate}
    return replace(record, config=record.config | {"optimizer": optimizer})
