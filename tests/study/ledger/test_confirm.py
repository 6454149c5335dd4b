"""The best configs are trained again, and tested once."""

from collections import Counter
from collections.abc import Iterable

from search_spaces import Stratum
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
