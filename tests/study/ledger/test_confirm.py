"""The best configs are trained again, and tested once."""

from collections import Counter
from collections.abc import Iterable

import pytest

from search_spaces import Stratum, space_of_revision
from study.ledger import TrialFacts
from tests.study.walk import Walk, by_stratum, phase, small


def test_confirm_trains_the_best_config_of_each_stratum(journal: str) -> None:
    walk = Walk(small(), journal)
    facts = walk.run()
    for stratum in walk.spec.cells():
        own = [trial for trial in facts.trials if trial.stratum == stratum]
        complete = [t for t in own if t.phase == "search" and t.state == "COMPLETE"]
        best = min(complete, key=lambda trial: (trial.value, trial.number))
        for trial in (t for t in own if t.phase == "confirm"):
            assert trial.config | {"seed": 0} == best.config | {"seed": 0}


def is_fresh(trial: TrialFacts) -> bool:
    """Whether its seed had no part in a choice."""
    return trial.attributes["slot"][2:] == ["fresh"]


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
        one, two = seeds_by_config(t for t in trials if not is_fresh(t)).values()
        (fresh,) = seeds_by_config(filter(is_fresh, trials)).values()
        assert sorted(one) == sorted(two)
        assert len({*one, *fresh}) == 3 + 3
        assert not confirmed & {*one, *fresh}
        confirmed |= {*one, *fresh}
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
            if trial.stratum == cell.stratum and not is_fresh(trial):
                assert trial.value is not None
                values.setdefault(trial.attributes["slot"][0], []).append(trial.value)
        means = {key: sum(of_key) / len(of_key) for key, of_key in values.items()}
        assert facts.strata[cell.stratum].chosen == (min(means, key=lambda key: means[key]),)


@pytest.mark.parametrize("num_configs", [1, 2, 3])
def test_only_seeds_that_chose_nothing_are_tested_each_once(
    lasting_url: str, num_configs: int
) -> None:
    walk = Walk(small(f"confirm.num_configs={num_configs}", "confirm.num_seeds=3"), lasting_url)
    facts = walk.run()
    for stratum, known in facts.strata.items():
        own = [t for t in phase(facts, "confirm") if t.stratum == stratum]
        tested = [t for t in own if t.number in known.tests]
        assert len(tested) == 3
        assert {t.attributes["slot"][0] for t in tested} == set(known.chosen)
        assert len(own) == (3 if num_configs == 1 else 3 * num_configs + 3)
        assert [is_fresh(t) for t in tested] == [num_configs > 1] * 3
        assert {n for n, by in known.chosen_by.items() if by} == set(known.tests)
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


@pytest.mark.parametrize("how", ["study confirm", "a larger number in the space"])
def test_more_seeds_are_fresh_of_the_chosen_config_and_each_tested_once(
    journal: str, how: str
) -> None:
    walk = Walk(small("confirm.num_configs=2"), journal)
    before = walk.run()
    if how == "study confirm":
        walk.ledger.add_confirm_seeds(3)
    else:
        walk.spec = small("confirm.num_configs=2", "confirm.num_seeds=5")
        walk.restart()
    after = walk.run()
    assert phase(after, "search") == phase(before, "search")
    for stratum in walk.spec.cells():
        trials = [trial for trial in phase(after, "confirm") if trial.stratum == stratum]
        assert after.strata[stratum].chosen == before.strata[stratum].chosen
        assert Counter(map(is_fresh, trials)) == {False: 2 * 2, True: 2 + 3}
        assert len({t.config["seed"] for t in trials}) == 2 + 2 + 3
        assert len(after.strata[stratum].tests) == 2 + 3
    assert set(walk.tests.values()) == {1}


def test_seeds_that_are_asked_for_before_the_choice_are_tested_ones(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2"), journal)
    walk.run_until(lambda s: s.phase == "confirm")
    walk.ledger.add_confirm_seeds(1)
    walk.spec = small("confirm.num_configs=2", "confirm.num_seeds=4")
    walk.restart()
    facts = walk.run()
    for stratum in walk.spec.cells():
        trials = [trial for trial in phase(facts, "confirm") if trial.stratum == stratum]
        begun = stratum == walk.spec.cells()[0]
        choosing = 2 * (2 if begun else 4)
        assert Counter(map(is_fresh, trials)) == {False: choosing, True: 4 + 1}
        assert len(facts.strata[stratum].tests) == 4 + 1


def test_a_fresh_seed_that_fails_leaves_fewer_and_its_retry_makes_up_for_it(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2", "strata.prior=gaussian"), journal)
    failed = walk.run_until(lambda s: s.phase == "confirm" and s.number == 4)
    walk.close(failed, "FAIL", "NaN")
    (stratum,) = walk.spec.cells()
    before = walk.run()
    assert set(before.strata[stratum].tests) == {5}
    assert walk.ledger.retry_failed() == 1
    after = walk.run()
    assert set(after.strata[stratum].tests) == {5, 6}
    assert after.strata[stratum].chosen == before.strata[stratum].chosen
    assert len({t.config["seed"] for t in phase(after, "confirm")}) == 2 + 2 + 1


def test_a_seed_that_fails_before_the_choice_is_left_out_of_it(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2", "strata.prior=gaussian"), journal)
    failed = walk.run_until(lambda s: s.phase == "confirm" and s.number == 0)
    walk.close(failed, "FAIL", "NaN")
    (known,) = walk.run().strata.values()
    assert len(known.tests) == 2
    chosen, tests = known.chosen, known.tests
    walk.ledger.retry_failed()
    (known,) = walk.run().strata.values()
    assert (known.chosen, known.tests) == (chosen, tests)


def test_where_every_seed_fails_nothing_is_chosen_until_a_retry(journal: str) -> None:
    walk = Walk(small("confirm.num_configs=2", "strata.prior=gaussian"), journal)
    while (ray_trial_id := walk.issue()) is not None:
        if walk.issued[-1].phase == "confirm":
            walk.close(ray_trial_id, "FAIL", "NaN")
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
    assert walk.ledger.is_finished
    (known,) = walk.ledger.facts().strata.values()
    assert (known.chosen, known.tests) == ((), {})
    walk.ledger.retry_failed()
    (known,) = walk.run().strata.values()
    assert len(known.tests) == 2


def test_a_study_of_an_earlier_version_tests_the_seeds_that_chose(journal: str) -> None:
    spec = space_of_revision(small("confirm.num_configs=2"), 1)
    walk = Walk(spec, journal)
    walk.run()
    walk.spec = space_of_revision(small("confirm.num_configs=2", "confirm.num_seeds=3"), 1)
    walk.restart()
    facts = walk.run()
    for stratum, known in facts.strata.items():
        own = [t for t in phase(facts, "confirm") if t.stratum == stratum]
        assert not any(map(is_fresh, own))
        assert len(own) == 2 * 2 + 1
        assert len(known.tests) == 3


def test_a_choice_that_is_stored_already_stays_and_its_seeds_are_tested(journal: str) -> None:
    """As an earlier commit of this revision stored it: without pools, and by nobody."""
    walk = Walk(small("confirm.num_configs=2", "strata.prior=gaussian"), journal)
    walk.run_until(lambda s: s.phase == "confirm")
    confirm = walk.ledger._cells[0].confirm
    other = list(confirm.user_attrs["candidates/6"])[1]
    confirm.set_user_attr("pools/6", {})
    confirm.set_user_attr("chosen/6", {"keys": [other], "num_seeds": 2})
    walk.restart()
    facts = walk.run()
    (known,) = facts.strata.values()
    assert known.chosen == (other,)
    own = {t.number for t in phase(facts, "confirm") if t.attributes["slot"][0] == other}
    assert set(known.tests) == own
    assert len(own) == 2
