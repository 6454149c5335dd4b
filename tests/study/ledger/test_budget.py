"""Every stratum gets its budget, and trials are pruned fairly within it."""

from collections import Counter

import pytest

from study.ledger import Ledger
from tests.study.walk import Walk, by_stratum, phase, small

# Budgets


def test_every_stratum_gets_exactly_its_budget(url: str) -> None:
    spec = small("budget.trials_per_stratum=4")
    facts = Walk(spec, url).run()
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(spec.cells(), 4)
    assert by_stratum(phase(facts, "confirm")) == dict.fromkeys(spec.cells(), 2)
    assert all(len(known.tests) == 2 for known in facts.strata.values())


def test_however_a_trial_ends_it_counts_against_the_budget(journal: str) -> None:
    spec = small("strata.prior=gaussian")
    walk = Walk(spec, journal)
    for state in ("FAIL", "PRUNED", "COMPLETE"):
        ray_trial_id = walk.issue()
        assert ray_trial_id is not None
        suggestion, _ = walk.under_way[ray_trial_id]
        for epoch in suggestion.config.evaluated_epochs:
            walk.ledger.report(ray_trial_id, epoch, 50.0)
        walk.close(ray_trial_id, state, "said so")
    trials = phase(walk.run(), "search")
    assert len(trials) == spec.budget.trials_per_stratum
    assert [trial.state for trial in trials[:3]] == ["FAIL", "PRUNED", "COMPLETE"]


def test_strata_stay_within_one_trial_of_each_other(journal: str) -> None:
    spec = small("strata.prior=gaussian,flow,diffusion", "strata.latent_size=4,8")
    walk = Walk(spec, journal)
    asked = Counter(dict.fromkeys(map(str, spec.cells()), 0))
    for _ in range(36):
        assert walk.issue() is not None
        asked[walk.issued[-1].stratum] += 1
        assert max(asked.values()) - min(asked.values()) <= 1


def test_a_study_that_is_finished_issues_nothing(journal: str) -> None:
    walk = Walk(small(), journal)
    walk.run()
    assert walk.ledger.is_finished
    assert Ledger(walk.spec, journal).next("late") is None


def test_a_study_is_not_finished_while_a_trial_is_under_way(journal: str) -> None:
    walk = Walk(small(), journal)
    walk.run_until(lambda s: s.phase == "test" and s.stratum == "digits/flow/8" and s.number == 1)
    assert walk.ledger.next("more") is None
    assert not walk.ledger.is_finished


# Pruning


def test_some_trials_are_pruned(journal: str) -> None:
    states = Counter(trial.state for trial in phase(Walk(small(), journal).run(), "search"))
    assert states["PRUNED"] > 0
    assert states["COMPLETE"] > 0


@pytest.mark.parametrize("min_peers", [1, 3, 5])
def test_nothing_is_pruned_before_enough_peers_have_passed(journal: str, min_peers: int) -> None:
    """Each trial is worse than all before it, so that it would be pruned at once."""
    spec = small("strata.prior=gaussian", "budget.trials_per_stratum=8",
                 f"budget.min_peers={min_peers}", "budget.control_share=0")  # fmt: skip
    ledger = Ledger(spec, journal)
    stopped = []
    for number in range(spec.budget.trials_per_stratum):
        ledger.next(str(number))
        stopped.append(ledger.report(str(number), 1, 100.0 + number))
    assert stopped == [number >= min_peers for number in range(len(stopped))]


def test_control_trials_are_never_stopped_and_still_count_at_their_rungs(journal: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0.5", "budget.min_peers=1")
    ledger = Ledger(spec, journal)
    for number in range(spec.budget.trials_per_stratum):
        ledger.next(str(number))
        for epoch in spec.budget.rungs:
            ledger.report(str(number), epoch, 100.0 + number)
    trials = ledger._cells[0].search.get_trials()
    controls = [trial for trial in trials if trial.user_attrs["control"]]
    assert len(controls) == 3
    for trial in controls:
        known = [rung for key, rung in trial.user_attrs.items() if key.startswith("rung/")]
        assert [rung["prune"] for rung in known] == [False] * len(spec.budget.rungs)
        assert sum("completed_rung" in key for key in trial.system_attrs) == len(spec.budget.rungs)


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_every_stratum_has_a_control_trial(journal: str, share: float) -> None:
    walk = Walk(small("budget.trials_per_stratum=5", f"budget.control_share={share}"), journal)
    trials = phase(walk.run(), "search")
    controls = [trial for trial in trials if trial.attributes["control"]]
    assert set(by_stratum(controls)) == set(walk.spec.cells())
    assert all(trial.state == "COMPLETE" for trial in controls)


@pytest.mark.parametrize("rungs", ["first_rung=1", "first_rung=8", "first_rung=100"])
def test_a_trial_of_full_length_is_complete_whatever_the_rungs(journal: str, rungs: str) -> None:
    """Worse and worse, and never asked at the last epoch: without rungs all are complete."""
    spec = small("strata.prior=gaussian", f"budget.{rungs}", "budget.control_share=0")
    ledger = Ledger(spec, journal)
    for number in range(spec.budget.trials_per_stratum):
        suggestion = ledger.next(str(number))
        assert suggestion is not None
        rung_stops = [ledger.report(str(number), rung, 10.0) for rung in suggestion.config.rungs]
        last = suggestion.config.max_epochs
        assert ledger.report(str(number), last, 100.0 + number) is False
        if not any(rung_stops):
            ledger.close(str(number), "COMPLETE")
            facts = ledger.facts().trials[-1]
            assert (facts.state, facts.value) == ("COMPLETE", 100.0 + number)


def test_confirm_trials_are_never_stopped(journal: str) -> None:
    ledger_walk = Walk(small("budget.min_peers=1"), journal)
    facts = ledger_walk.run()
    assert {trial.state for trial in phase(facts, "confirm")} == {"COMPLETE"}
    assert not any(d for trial in phase(facts, "confirm") for d in trial.decisions.values())


def test_a_pruned_trial_is_pruned_for_the_sampler_too(journal: str) -> None:
    walk = Walk(small(), journal)
    facts = {t.number: t for t in phase(walk.run(), "search") if t.stratum.prior == "gaussian"}
    seen = {t.number: t for t in walk.ledger._cells[0].search.get_trials()}
    assert {n: t.state.name for n, t in seen.items()} == {n: t.state for n, t in facts.items()}
    for number, trial in facts.items():
        assert seen[number].intermediate_values == trial.rungs
