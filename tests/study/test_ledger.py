"""The ledger keeps its promises over all storages, through restarts and through kills.

Nothing is trained here: a worker without a model walks trials through `next`, `report`, `close` as
the driver does, and remembers what it was told.
"""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest

from search_spaces import Stratum, StudySpec
from study.failure import RETRIES, FailureKind
from study.ledger import Ledger, LedgerFacts, TrialFacts
from tests.study.storage import LASTING, storage_url
from tests.study.walk import KilledError, Walk, arm, by_stratum, key_of, phase, proposals, small
from trainables.config import TrialConfig
from trainables.error import InputError


def optuna_trials(walk: Walk, trial_phase: str = "search") -> list[optuna.trial.FrozenTrial]:
    studies = [
        cell.confirm if trial_phase == "confirm" else cell.search for cell in walk.ledger._cells
    ]
    return [trial for study in studies for trial in study.get_trials()]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process wrote stays in the page cache; only a lost host needs the sync."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return f"journal:{tmp_path / 'ledger.journal'}"


@pytest.fixture(params=["memory", *LASTING])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every kind of storage; the promises are the same."""
    return storage_url(request, tmp_path, request.param)


@pytest.fixture(params=LASTING)
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The storages that outlive their driver."""
    return storage_url(request, tmp_path, request.param)


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


# Saying it again


def test_a_rung_that_is_reported_again_gets_its_decision_again(url: str) -> None:
    ledger = Ledger(small("strata.prior=gaussian", "budget.control_share=0"), url)
    for number in range(4):
        ledger.next(str(number))
        first = ledger.report(str(number), 1, 100.0 + number)
        assert [ledger.report(str(number), 1, fid) for fid in (100.0 + number, 0.0)] == [first] * 2
    values = [trial.rungs[1] for trial in ledger.facts().trials]
    assert values == [100.0, 101.0, 102.0, 103.0]


def test_closing_twice_changes_nothing(url: str) -> None:
    walk = Walk(small(), url)
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    walk.ledger.close(ray_trial_id, "FAIL", "first")
    before = walk.ledger.facts()
    walk.ledger.close(ray_trial_id, "COMPLETE", "second")
    assert walk.ledger.facts() == before


def test_results_of_an_issue_that_ended_are_ignored(url: str) -> None:
    walk = Walk(small(), url)
    lost = walk.issue()
    assert lost is not None
    walk.close(lost, "LOST", "worker gone")
    again = walk.issue()
    assert walk.issued[0].key == walk.issued[1].key
    before = walk.ledger.facts()
    assert walk.ledger.report(lost, 1, 1.0) is False
    walk.ledger.note(lost, "mlflow_run_id", "zombie")
    walk.ledger.close(lost, "COMPLETE")
    assert walk.ledger.facts() == before
    assert again in walk.under_way


def test_names_that_were_never_issued_are_ignored(url: str) -> None:
    ledger = Ledger(small(), url)
    before = ledger.facts()
    assert ledger.report("nobody", 1, 1.0) is False
    ledger.note("nobody", "a", 1)
    ledger.close("nobody", "COMPLETE")
    assert ledger.facts() == before


def test_asking_twice_under_one_name_gives_one_trial(journal: str) -> None:
    ledger = Ledger(small(), journal)
    assert ledger.next("same") == ledger.next("same")
    assert len(ledger.facts().trials) == 1


def test_a_note_stays_with_its_trial(lasting_url: str) -> None:
    walk = Walk(small(), lasting_url)
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    walk.ledger.note(ray_trial_id, "mlflow_run_id", "abc")
    walk.restart()
    assert walk.ledger.facts().trials[0].attributes["mlflow_run_id"] == "abc"


def test_an_end_without_a_fid_at_the_last_epoch_is_a_failure(url: str) -> None:
    ledger = Ledger(small(), url)
    ledger.next("a")
    ledger.report("a", 1, 10.0)
    ledger.close("a", "COMPLETE")
    trial = ledger.facts().trials[0]
    assert trial.state == "FAIL"
    assert "without a FID" in trial.reason


# Workers that are lost


def test_a_lost_trial_is_issued_again_with_a_higher_attempt(url: str) -> None:
    walk = Walk(small(), url)
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    walk.close(ray_trial_id, "LOST", "worker gone")
    walk.issue()
    first, second = walk.issued
    assert (first.key, first.config) == (second.key, second.config)
    assert (first.attempt, second.attempt) == (1, 2)


@pytest.mark.parametrize("trial_phase", ["search", "confirm"])
def test_a_trial_that_is_lost_again_and_again_fails_with_its_reason(
    journal: str, trial_phase: str
) -> None:
    walk = Walk(small(), journal)
    ray_trial_id: str | None = walk.run_until(lambda s: s.phase == trial_phase)
    key = walk.issued[-1].key
    for _ in range(RETRIES[FailureKind.LOST]):
        assert ray_trial_id is not None
        walk.close(ray_trial_id, "LOST", "out of memory")
        ray_trial_id = walk.issue()
        assert walk.issued[-1].key == key
    assert ray_trial_id is not None
    walk.close(ray_trial_id, "LOST", "out of memory")
    facts = {key_of(trial): trial for trial in walk.run().trials}
    assert facts[key].state == "FAIL"
    assert "out of memory" in facts[key].reason


def test_a_lost_look_at_the_test_split_is_taken_again(journal: str) -> None:
    walk = Walk(small(), journal)
    ray_trial_id = walk.run_until(lambda s: s.phase == "test")
    walk.close(ray_trial_id, "LOST", "worker gone")
    facts = walk.run()
    assert all(len(known.tests) == 2 for known in facts.strata.values())


# Restarts


def test_what_was_left_running_is_issued_first_with_its_attempt_raised(lasting_url: str) -> None:
    walk = Walk(small(), lasting_url)
    for _ in range(3):
        walk.issue()
    before = {s.key: s for s in walk.issued}
    walk.restart()
    for _ in range(3):
        walk.issue()
    again = {s.key: s for s in walk.issued[3:]}
    assert again == {k: s.model_copy(update={"attempt": 2}) for k, s in before.items()}


def test_what_has_ended_is_never_issued_again(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        suggestion = walk.issued[-1]
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
        walk.restart()
        assert suggestion.phase == "test" or walk.ended[suggestion.key]
    keys = Counter((s.phase == "test", s.key) for s in walk.issued)
    assert set(keys.values()) == {1}


def test_a_decision_that_was_not_acted_on_is_replayed(lasting_url: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0")
    ledger = Ledger(spec, lasting_url)
    for number in range(5):
        suggestion = ledger.next(str(number))
        if ledger.report(str(number), 1, 100.0 + number):
            break
    assert suggestion is not None
    restarted = Ledger(spec, lasting_url)
    issued = [restarted.next(f"again-{n}") for n in range(suggestion.number + 1)]
    assert suggestion.number not in {s.number for s in issued[:-1] if s}
    trial = restarted.facts().trials[suggestion.number]
    assert (trial.state, trial.decisions) == ("PRUNED", {1: True})
    assert trial.attributes["attempt"] == 1


def test_a_replayed_decision_says_why(journal: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0", "budget.min_peers=1")
    ledger = Ledger(spec, journal)
    for number in range(2):
        ledger.next(str(number))
        ledger.report(str(number), 1, 100.0 + number)
    restarted = Ledger(spec, journal)
    for number in range(2):
        restarted.next(f"again-{number}")
    pruned = [trial for trial in restarted.facts().trials if trial.state == "PRUNED"]
    assert [trial.reason for trial in pruned] == ["pruned at epoch 1"]


def test_the_same_seed_proposes_the_same_configs(tmp_path: Path) -> None:
    walks = [Walk(small(), f"journal:{tmp_path / name}") for name in ("one", "two")]
    one, two = (walk.run() for walk in walks)
    assert proposals(walks[0]) == proposals(walks[1])
    assert one == two


def test_another_seed_proposes_other_configs(tmp_path: Path) -> None:
    one = Walk(small("seed=1"), f"journal:{tmp_path / 'one'}")
    two = Walk(small("seed=2"), f"journal:{tmp_path / 'two'}")
    one.run()
    two.run()
    assert proposals(one) != proposals(two)


def test_a_ledger_that_restarts_after_every_step_proposes_the_same_configs(tmp_path: Path) -> None:
    straight = Walk(small(), f"journal:{tmp_path / 'straight'}")
    straight.run()
    broken = Walk(small(), f"journal:{tmp_path / 'broken'}")
    while not broken.ledger.is_finished:
        ray_trial_id = broken.issue()
        assert ray_trial_id is not None
        suggestion, epochs = broken.under_way[ray_trial_id]
        past = [epoch for epoch in epochs if (suggestion.key, epoch) in broken.decisions]
        for _ in past if suggestion.phase != "test" else []:  # as its checkpoint has it
            broken.advance(ray_trial_id)
        if ray_trial_id in broken.under_way:
            broken.advance(ray_trial_id)
        broken.restart()
    assert proposals(broken) == proposals(straight)
    assert broken.decisions == straight.decisions
    assert broken.ended == straight.ended


def test_priors_do_not_share_their_random_streams(journal: str) -> None:
    walk = Walk(small(), journal)
    walk.run()
    first = {s.stratum: s.config.optimizer for s in walk.issued if s.key.endswith("/0")}
    assert len({optimizer.learning_rate for optimizer in first.values()}) == len(first)


# Confirm and test


def test_confirm_trains_the_best_config_of_each_stratum(journal: str) -> None:
    walk = Walk(small(), journal)
    facts = walk.run()
    for stratum in walk.spec.cells():
        own = [trial for trial in facts.trials if trial.stratum == stratum]
        complete = [t for t in own if t.phase == "search" and t.state == "COMPLETE"]
        best = min(complete, key=lambda trial: (trial.value, trial.number))
        for trial in (t for t in own if t.phase == "confirm"):
            assert trial.config | {"seed": 0} == best.config | {"seed": 0}


def seeds_by_config(trials: Iterable[TrialFacts]) -> dict[str, list[int]]:
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.attributes["slot"][0], []).append(trial.config["seed"])
    return seeds


def test_every_seed_is_its_own_but_for_configs_that_are_compared(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2", "confirm.num_seeds=3"), journal)
    facts = walk.run()
    searched = [trial.config["seed"] for trial in phase(facts, "search")]
    assert len(set(searched)) == len(searched)
    confirmed = set()
    for stratum in walk.spec.cells():
        trials = [trial for trial in phase(facts, "confirm") if trial.stratum == stratum]
        one, two = seeds_by_config(trials).values()
        assert sorted(one) == sorted(two)
        assert len(set(one)) == 3
        assert not confirmed & set(one)
        confirmed |= set(one)
    assert not confirmed & set(searched)


def test_confirm_may_be_longer_than_the_search(journal: str) -> None:
    facts = Walk(small("confirm.max_epochs=20"), journal).run()
    assert {trial.config["max_epochs"] for trial in phase(facts, "search")} == {8}
    assert {trial.config["max_epochs"] for trial in phase(facts, "confirm")} == {20}


def test_confirm_may_be_shorter_than_the_search(journal: str) -> None:
    facts = Walk(small("confirm.max_epochs=3"), journal).run()
    assert {tuple(trial.config["rungs"]) for trial in phase(facts, "confirm")} == {(1, 2)}


def test_the_choice_is_the_best_mean_over_seeds(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=3", "confirm.num_seeds=3"), journal)
    facts = walk.run()
    for cell in walk.ledger._cells:
        values: dict[str, list[float]] = {}
        for trial in phase(facts, "confirm"):
            if trial.stratum == cell.stratum:
                assert trial.value is not None
                values.setdefault(trial.attributes["slot"][0], []).append(trial.value)
        means = {key: sum(of_key) / len(of_key) for key, of_key in values.items()}
        assert facts.strata[cell.stratum].chosen == (min(means, key=lambda key: means[key]),)


def test_only_seeds_of_the_chosen_config_are_tested_each_once(lasting_url: str) -> None:
    walk = Walk(small("confirm.num_configs=2", "confirm.num_seeds=3"), lasting_url)
    facts = walk.run()
    for stratum, known in facts.strata.items():
        chosen = {t.number for t in phase(facts, "confirm") if t.stratum == stratum
                  and t.attributes["slot"][0] in known.chosen}  # fmt: skip
        assert set(known.tests) == chosen
        assert len(chosen) == 3
    assert set(walk.tests.values()) == {1}


def test_a_test_is_no_change_of_its_trial(journal: str) -> None:
    walk = Walk(small(), journal)
    walk.run_until(lambda s: s.phase == "test")
    before = walk.ledger.facts().trials
    walk.restart()
    assert walk.run().trials == before


def test_candidates_and_choice_never_change(journal: str) -> None:
    """A better trial that comes later (a retry) leads to no other choice."""
    walk = Walk(small("confirm.num_configs=2"), journal)
    failed = walk.run_until(lambda s: s.key == "search/digits/gaussian/8/3")
    walk.close(failed, "FAIL", "bad luck")
    walk.run()
    before = [dict(cell.confirm.user_attrs) for cell in walk.ledger._cells]
    del walk.ended["search/digits/gaussian/8/3"]
    assert walk.ledger.retry_failed() == 1
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    for epoch in walk.under_way[ray_trial_id][0].config.evaluated_epochs:
        walk.ledger.report(ray_trial_id, epoch, 0.001)
    walk.close(ray_trial_id, "COMPLETE")
    walk.run()
    assert [dict(cell.confirm.user_attrs) for cell in walk.ledger._cells] == before


def test_a_stratum_without_a_complete_trial_stays_empty_and_the_study_ends(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        if walk.issued[-1].stratum == "digits/flow/8":
            walk.close(ray_trial_id, "FAIL", "NaN")
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
    facts = walk.ledger.facts()
    assert walk.ledger.is_finished
    assert by_stratum(phase(facts, "confirm")) == {Stratum("digits", "gaussian", 8): 2}
    assert facts.strata[Stratum("digits", "flow", 8)].tests == {}


def test_a_stratum_whose_confirm_trials_fail_is_not_tested(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        if walk.issued[-1].phase == "confirm":
            walk.close(ray_trial_id, "FAIL", "NaN")
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
    assert walk.ledger.is_finished
    assert all(known.tests == {} for known in walk.ledger.facts().strata.values())


def test_variants_are_each_trained_and_tested_without_search(journal: str) -> None:
    spec = small("budget.trials_per_stratum=0", "variants.warm.kl_annealing.kind=linear",
                 "variants.cold.kl_annealing.kind=none")  # fmt: skip
    facts = Walk(spec, journal).run()
    assert phase(facts, "search") == []
    kinds = Counter(trial.config["kl_annealing"]["kind"] for trial in facts.trials)
    assert kinds == {"linear": 4, "none": 4}
    assert all(len(known.tests) == 4 for known in facts.strata.values())


def test_more_confirm_seeds_are_fresh_and_each_tested_once(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2"), journal)
    before = walk.run()
    walk.ledger.add_confirm_seeds(3)
    after = walk.run()
    assert phase(after, "search") == phase(before, "search")
    for stratum in walk.spec.cells():
        trials = [trial for trial in phase(after, "confirm") if trial.stratum == stratum]
        chosen = after.strata[stratum].chosen[0]
        assert Counter(t.attributes["slot"][0] for t in trials)[chosen] == 2 + 3
        assert len(trials) == 2 * 2 + 3
        assert all(len(set(seeds)) == len(seeds) for seeds in seeds_by_config(trials).values())
        assert len(after.strata[stratum].tests) == 2 + 3
    assert set(walk.tests.values()) == {1}


# Retrying what failed


@pytest.mark.parametrize("trial_phase", ["search", "confirm"])
def test_a_failure_is_retried_once_under_a_new_number_beyond_the_budget(
    journal: str, trial_phase: str
) -> None:
    walk = Walk(small(), journal)
    failed = walk.run_until(lambda s: s.phase == trial_phase and s.number == 1)
    first = walk.issued[-1]
    walk.close(failed, "FAIL", "bad luck")
    before = walk.run()
    assert walk.ledger.retry_failed() == 1
    assert walk.ledger.retry_failed() == 0
    after = walk.run()
    new = [trial for trial in after.trials if key_of(trial) not in map(key_of, before.trials)]
    assert [trial.attributes["retry_of"] for trial in new] == [first.number]
    assert new[0].config | {"seed": 0} == first.config.model_dump(mode="json") | {"seed": 0}
    assert new[0].config["seed"] != first.config.seed
    assert new[0].state != "FAIL"
    stay = [trial for trial in after.trials if trial not in new]
    assert stay == list(before.trials)


def test_a_retry_that_waits_survives_a_restart(lasting_url: str) -> None:
    walk = Walk(small(), lasting_url)
    failed = walk.issue()
    assert failed is not None
    walk.close(failed, "FAIL", "bad luck")
    walk.ledger.retry_failed()
    walk.restart()
    assert walk.ledger.retry_failed() == 0
    assert len(phase(walk.run(), "search")) == 2 * 6 + 1


def test_a_retry_that_fails_may_be_retried(journal: str) -> None:
    walk = Walk(small(), journal)
    for _ in range(3):
        failed = walk.issue()
        assert failed is not None
        walk.close(failed, "FAIL", "bad luck")
        while walk.issued[-1].stratum != walk.issued[0].stratum:
            failed = walk.issue()
            assert failed is not None
            walk.close(failed, "FAIL", "bad luck")
        walk.ledger.retry_failed()
    failures = [t for t in walk.run().trials if t.state == "FAIL"]
    retried = [t.attributes.get("retry_of") for t in walk.ledger.facts().trials]
    for trial in failures:
        assert trial.number in retried


# Torn and foreign files


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*")}


def test_a_torn_last_line_is_mended_when_the_driver_opens_it(journal: str, tmp_path: Path) -> None:
    spec = small()
    walk = Walk(spec, journal)
    walk.issue()
    path = tmp_path / "ledger.journal"
    whole = path.read_bytes()
    for torn in (whole + b'{"op_code": 6, "wor', whole[:-37]):
        path.write_bytes(torn)
        again = Walk(spec, journal)
        assert path.read_bytes().startswith(torn[: torn.rfind(b"\n") + 1])
        assert again.issue() is not None
    assert by_stratum(phase(again.run(), "search")) == dict.fromkeys(spec.cells(), 6)


def test_the_lock_file_of_a_killed_driver_is_no_obstacle(journal: str, tmp_path: Path) -> None:
    walk = Walk(small(), journal)
    walk.issue()
    (tmp_path / "ledger.journal.lock").symlink_to("ledger.journal")
    walk.restart()
    assert walk.issue() is not None


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_reading_neither_makes_nor_changes_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    url = f"journal:{path}" if kind == "journal" else f"sqlite:///{path}"
    walk = Walk(small(), url)
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    walk.advance(ray_trial_id)
    before = snapshot(tmp_path)
    assert Ledger.read(url, "small") == walk.ledger.facts()
    assert snapshot(tmp_path) == before


def test_a_torn_ledger_is_read_up_to_its_last_whole_line(journal: str, tmp_path: Path) -> None:
    walk = Walk(small(), journal)
    walk.issue()
    facts = walk.ledger.facts()
    path = tmp_path / "ledger.journal"
    path.write_bytes(path.read_bytes() + b'{"op_code": 6, "wor')
    before = snapshot(tmp_path)
    assert Ledger.read(journal, "small") == facts
    assert snapshot(tmp_path) == before


def test_reading_shows_what_the_driver_sees_while_it_runs(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        walk.advance(ray_trial_id)
        assert Ledger.read(journal, "small") == walk.ledger.facts()
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)


def test_an_unknown_study_is_named(lasting_url: str) -> None:
    Ledger(small(), lasting_url)
    with pytest.raises(InputError, match="no study 'smal'"):
        Ledger.read(lasting_url, "smal")


@pytest.mark.parametrize("scheme", ["journal:", "sqlite:///"])
def test_a_ledger_that_is_not_there_is_an_input_error(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ledger"):
        Ledger.read(f"{scheme}{tmp_path / 'nowhere'}", "small")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["journal:", "sqlite:///"])
@pytest.mark.parametrize("open_it", [lambda u: Ledger(small(), u), lambda u: Ledger.read(u, "s")])
def test_a_file_that_is_no_ledger_is_an_input_error(
    scheme: str, open_it: Callable[[str], object], tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs\nflour\n")
    with pytest.raises(InputError):
        open_it(f"{scheme}{path}")


def test_a_file_that_is_no_ledger_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs")
    with pytest.raises((InputError, json.JSONDecodeError)):
        Ledger(small(), f"journal:{path}")
    assert path.read_text() == "milk\neggs"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "ftp://here",
        "postgresql://localhost:1/none",
        "journal:/nowhere/at/all",
        "sqlite:////nowhere/at/all",
    ],
)
def test_a_url_that_cannot_be_opened_is_an_input_error(url: str) -> None:
    with pytest.raises(InputError):
        Ledger(small(), url)


def test_two_studies_share_a_ledger_without_seeing_each_other(lasting_url: str) -> None:
    spec = small("budget.trials_per_stratum=1", "strata.prior=gaussian", "confirm.num_seeds=1")
    one = Walk(spec, lasting_url)
    other = Walk(spec.model_copy(update={"name": "small2"}), lasting_url)
    one.run()
    assert other.ledger.facts().trials == ()
    other.run()
    assert (
        len(Ledger.read(lasting_url, "small").trials)
        == len(Ledger.read(lasting_url, "small2").trials)
        == 2
    )


@pytest.mark.parametrize("content", [b"garbage\n", b"\xff\xfe\n", b"{}\n", b"[]\n", b"\n",
                                     b'{"op_code": 99, "worker_id": "x"}\n'])  # fmt: skip
@pytest.mark.parametrize("place", ["in its midst", "last"])
def test_a_damaged_line_is_named_and_nothing_is_written(
    content: bytes, place: str, journal: str, tmp_path: Path
) -> None:
    Walk(small(), journal).run()
    path = Path(journal.removeprefix("journal:"))
    lines = path.read_bytes().splitlines(keepends=True)
    number = len(lines) if place == "last" else len(lines) // 2
    path.write_bytes(b"".join([*lines[: number - 1], content, *lines[number:]]))
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"damaged: line {number} .*head -n {number - 1}`"):
        Ledger(small(), journal)
    assert path.read_bytes() == before
    if place != "last":  # to a reader it may be a line that is just being written
        with pytest.raises(InputError, match=f"line {number} "):
            Ledger.read(journal, "small")


# Kills at random


def act(walk: Walk, rng: random.Random, num_workers: int) -> bool:
    """One thing that a driver does; False where nothing is left to do."""
    if len(walk.under_way) < num_workers and rng.random() < 0.6 and walk.issue() is not None:
        return True
    if walk.under_way:
        ray_trial_id = rng.choice(sorted(walk.under_way))
        fate = rng.random()
        if fate < 0.03:
            walk.close(ray_trial_id, "LOST", "worker gone")
        elif fate < 0.05 and walk.under_way[ray_trial_id][0].phase != "test":
            walk.close(ray_trial_id, "FAIL", "NaN")
        else:
            walk.advance(ray_trial_id)
        return True
    return walk.issue() is not None


def finished(facts: LedgerFacts) -> dict[str, TrialFacts]:
    return {key_of(trial): trial for trial in facts.trials if trial.state != "RUNNING"}


def walk_through_kills(spec: StudySpec, url: str, seed: int) -> Walk:
    """To the end, killed again and again; what has ended stays as it is."""
    rng = random.Random(seed)
    walk = Walk(spec, url)
    num_workers = rng.choice([1, 2, 4])
    known: dict[str, TrialFacts] = {}
    for _ in range(rng.randint(5, 12)):
        arm(walk.ledger, rng.randint(1, 60), rng.choice(["before", "after", "within"]))
        try:
            while act(walk, rng, num_workers):
                pass
            break
        except KilledError:
            walk.restart()
        now = finished(walk.ledger.facts())
        assert {key: now[key] for key in known} == known
        known = now
    walk.restart()
    while not walk.ledger.is_finished:
        walk.run()
        walk.restart()
    now = finished(walk.ledger.facts())
    assert {key: now[key] for key in known} == known
    return walk


@pytest.mark.parametrize("seed", range(30))
def test_after_any_kills_the_study_is_as_it_should_be(journal: str, seed: int) -> None:
    spec = small("budget.trials_per_stratum=5", "budget.min_peers=1")
    walk = walk_through_kills(spec, journal, seed)
    facts = Ledger.read(journal, "small")
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(spec.cells(), 5)
    assert Counter(t.state for t in facts.trials)["RUNNING"] == 0
    for trial in facts.trials:
        heard = {e: d for (key, e), d in walk.decisions.items() if key == key_of(trial)}
        assert heard.items() <= trial.decisions.items()
        assert_passed_every_rung(trial)
    assert_issued_the_same(walk, facts)
    assert_confirmed_and_tested_once(walk, facts)


def assert_passed_every_rung(trial: TrialFacts) -> None:
    planned = [*trial.config["rungs"], trial.config["max_epochs"]]
    assert list(trial.rungs) == planned[: len(trial.rungs)]
    decisions = list(trial.decisions.values())
    assert not any(decisions[:-1])
    if trial.state == "COMPLETE":
        assert list(trial.rungs) == planned
        assert trial.value == trial.rungs[planned[-1]]
    if trial.state == "PRUNED":
        assert decisions[-1]


def assert_issued_the_same(walk: Walk, facts: LedgerFacts) -> None:
    """Every issue of a number carries the ledger's config, and a higher attempt than before."""
    configs = {key_of(trial): TrialConfig.model_validate(trial.config) for trial in facts.trials}
    attempts: dict[str, int] = {}
    for suggestion in (s for s in walk.issued if s.phase != "test"):
        assert suggestion.config == configs[suggestion.key]
        assert suggestion.attempt > attempts.get(suggestion.key, 0)
        attempts[suggestion.key] = suggestion.attempt
    for trial in phase(facts, "search"):
        assert trial.params.items() <= flat(trial.config).items()


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for name, value in values.items():
        within = flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {}
        pairs |= within or {f"{prefix}{name}": value}
    return pairs


def assert_confirmed_and_tested_once(walk: Walk, facts: LedgerFacts) -> None:
    for stratum, known in facts.strata.items():
        own = [trial for trial in facts.trials if trial.stratum == stratum]
        confirms = [trial for trial in own if trial.phase == "confirm"]
        has_candidate = any(t.state == "COMPLETE" and t.phase == "search" for t in own)
        slots = sorted(trial.attributes["slot"][1] for trial in confirms)
        assert slots == (list(range(walk.spec.confirm.num_seeds)) if has_candidate else [])
        assert set(known.tests) == {t.number for t in confirms if t.state == "COMPLETE"}
    assert set(walk.tests.values()) <= {1}


def killed_at_every_write(spec: StudySpec, url: str, manner: str) -> Walk:
    """One worker whose driver dies at its third, fourth, … write, until the study is done.

    Spared is the moment between the pruner's advice and the decision: the next test is its own.
    """
    walk = Walk(spec, url)
    countdowns = itertools.cycle(range(3, 30))
    spared = "completed_rung_" if manner == "after" else "'rung/"
    while not walk.ledger.is_finished:
        arm(walk.ledger, next(countdowns), manner, spare=lambda log: spared in log)
        try:
            walk.run()
        except KilledError:
            walk.restart()
    return walk


@pytest.mark.parametrize("manner", ["before", "after", "within"])
def test_kills_change_nothing_of_what_one_worker_finds(tmp_path: Path, manner: str) -> None:
    spec = small()
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    straight.run()
    killed = killed_at_every_write(spec, f"journal:{tmp_path / 'killed'}", manner)
    assert proposals(killed) == proposals(straight)
    essence = [
        [(key_of(t), t.state, t.value, t.rungs, t.decisions) for t in walk.ledger.facts().trials]
        for walk in (killed, straight)
    ]
    assert essence[0] == essence[1]


def test_a_decision_torn_by_a_kill_is_taken_again_the_same(journal: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0", "budget.min_peers=1")
    ledger = Ledger(spec, journal)
    for number in range(2):
        ledger.next(str(number))
        if number == 0:
            ledger.report("0", 1, 100.0)
    arm(ledger, 1, "after", spare=lambda log: "completed_rung_" not in log)
    with pytest.raises(KilledError):
        ledger.report("1", 1, 200.0)
    restarted = Ledger(spec, journal)
    for number in range(2):
        restarted.next(str(number))
    assert restarted.report("1", 1, 200.0) is True


def test_sampler_and_record_know_one_value_per_rung(journal: str) -> None:
    ledger = Ledger(small(), journal)
    ledger.next("a")
    arm(ledger, 1, "after")
    with pytest.raises(KilledError):
        ledger.report("a", 1, 100.0)
    restarted = Ledger(small(), journal)
    restarted.next("a")
    restarted.report("a", 1, 90.0)
    trial = restarted._cells[0].search.get_trials()[0]
    assert trial.intermediate_values[1] == restarted.facts().trials[0].rungs[1]


def test_a_trial_killed_while_it_was_asked_gets_the_same_config(tmp_path: Path) -> None:
    """At each write of an ask, before and after it, in the middle of a search."""
    spec = small("strata.prior=diffusion")
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    straight.run()
    wanted = {s.key: s.config for s in straight.issued}
    for write, manner in itertools.product(range(1, 10), ["before", "after"]):
        walk = Walk(spec, f"journal:{tmp_path / f'{manner}-{write}'}")
        fourth = walk.run_until(lambda s: s.number == 4)
        while fourth in walk.under_way:
            walk.advance(fourth)
        arm(walk.ledger, write, manner)
        with pytest.raises(KilledError):
            walk.run()
        walk.restart()
        walk.run()
        assert {s.key: s.config for s in walk.issued} == wanted
