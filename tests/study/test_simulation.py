"""Fairness, budgets and restarts of the policy, on learning curves in virtual time."""

import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from study.driver import Driver
from study.ledger import Ledger
from tests.simulation import TABLE_1, Family, Simulation, simulate
from tests.study.shared_asha import Outcome, by_strata, question, shared
from tests.study.walk import by_stratum, phase

SEEDS = range(100)
pytestmark = [
    pytest.mark.timeout(400),  # the fixture with all of them
    pytest.mark.usefixtures("no_waiting_for_the_disk"),
]


@pytest.fixture(scope="module")
def outcomes() -> tuple[list[Outcome], list[Outcome]]:
    """A hundred searches on noiseless curves that do not cross: ours, and one ASHA for all."""
    ours, theirs = ([policy(seed, TABLE_1) for seed in SEEDS] for policy in (by_strata, shared))
    return ours, theirs


def test_curves_of_one_family_do_not_cross_unless_said() -> None:
    family = TABLE_1["flow"]
    seeds = sorted(range(20), key=family.quality)
    for epoch in (1, 4, 64):
        fids = [family.fid(seed, epoch) for seed in seeds]
        assert fids == sorted(fids)
    crossing = replace(family, crossing=True)
    early, late = (sorted(seeds, key=lambda s: crossing.fid(s, e)) for e in (4, 400))
    assert early != late


def test_table_1_is_fast_and_worst_slow_and_best_and_slowest() -> None:
    gaussian, flow, diffusion = (TABLE_1[name] for name in ("gaussian", "flow", "diffusion"))
    first = [family.fid(0, 1) for family in (gaussian, flow, diffusion)]
    last = [family.fid(0, 400) for family in (flow, diffusion, gaussian)]
    assert min(first) == first[0]
    assert last == sorted(last)
    assert gaussian.tau < flow.tau < diffusion.tau


def test_the_gap_in_epochs_between_families_is_at_most_half_that_of_one_asha(
    outcomes: tuple[list[Outcome], list[Outcome]],
) -> None:
    ours, theirs = (statistics.median(o.gap for o in policy) for policy in outcomes)
    assert ours <= theirs / 2
    ours, theirs = (statistics.median(o.gap_share for o in policy) for policy in outcomes)
    assert ours <= theirs / 2


def test_the_best_config_of_every_family_survives_curves_that_do_not_cross(
    outcomes: tuple[list[Outcome], list[Outcome]],
) -> None:
    assert all(outcome.survivors == TABLE_1.keys() for outcome in outcomes[0])


def test_one_shared_asha_loses_the_best_of_slow_families(
    outcomes: tuple[list[Outcome], list[Outcome]],
) -> None:
    survivors = Counter(prior for outcome in outcomes[1] for prior in outcome.survivors)
    assert survivors["diffusion"] < len(SEEDS) / 2


@pytest.mark.parametrize("num_workers", [1, 4, 50])
def test_any_number_of_workers_keeps_the_budget(num_workers: int) -> None:
    spec = question(0, TABLE_1)
    facts = simulate(spec, num_workers=num_workers).driver.ledger.facts()
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(
        spec.cells(), spec.budget.trials_per_stratum
    )
    assert by_stratum(phase(facts, "confirm")) == dict.fromkeys(spec.cells(), 1)
    assert all(len(known.tests) == 1 for known in facts.strata.values())


def test_more_workers_need_less_time() -> None:
    times = [simulate(question(0, TABLE_1), num_workers=n).now for n in (1, 4)]
    assert times[1] < times[0] / 2


def test_a_simulation_is_the_same_again() -> None:
    one, two = (simulate(question(3, TABLE_1), num_workers=4) for _ in range(2))
    assert (one.now, one.epochs) == (two.now, two.epochs)
    assert one.driver.ledger.facts() == two.driver.ledger.facts()


def test_a_driver_that_is_killed_in_the_middle_leaves_the_same_search(tmp_path: Path) -> None:
    """One worker: whatever was under way goes on where the ledger has it."""
    spec = question(1, {"gaussian": Family(100.0), "flow": Family(50.0)})
    families = {"gaussian": Family(100.0), "flow": Family(50.0)}
    straight = simulate(spec, families).driver.ledger.facts()
    url = f"journal:{tmp_path / 'ledger'}"
    for seconds in (100.0, 300.0):
        Simulation(Driver(Ledger(spec, url)), families).run(until=seconds)
    killed = Simulation(Driver(Ledger(spec, url)), families).run()
    essence = [
        [(t.phase, t.stratum, t.number, t.state, t.rungs, t.decisions) for t in facts.trials]
        for facts in (straight, killed)
    ]
    assert essence[0] == essence[1]
