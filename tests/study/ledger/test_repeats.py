"""A stratum whose search is repeated: each repeat is a whole search with luck of its own."""

from collections import Counter
from dataclasses import replace

from study.ledger import LedgerFacts, TrialFacts
from tests.study.walk import Walk, by_stratum, phase, small

TWICE = "search.num_repeats=2"


def of_repeat(facts: LedgerFacts, repeat: int) -> list[TrialFacts]:
    """Its trials, named as those of the stratum."""
    own = [trial for trial in facts.trials if trial.stratum.repeat == repeat]
    return [replace(trial, stratum=replace(trial.stratum, repeat=0)) for trial in own]


def test_every_repeat_is_searched_confirmed_and_tested(url: str) -> None:
    spec = small(TWICE, "budget.trials_per_stratum=4")
    facts = Walk(spec, url).run()
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(spec.searches(), 4)
    assert by_stratum(phase(facts, "confirm")) == dict.fromkeys(spec.searches(), 2)
    assert {s: len(known.tests) for s, known in facts.strata.items()} == dict.fromkeys(
        spec.searches(), 2
    )


def test_the_first_repeat_is_the_study_without_repeats(journal: str) -> None:
    once = Walk(small("name=once"), journal).run()
    twice = Walk(small("name=twice", TWICE), journal).run()
    assert of_repeat(twice, 0) == list(once.trials)
    assert all(twice.strata[stratum] == known for stratum, known in once.strata.items())


def test_repeats_share_no_seed_and_search_elsewhere(journal: str) -> None:
    facts = Walk(small("search.num_repeats=3"), journal).run()
    seeds = Counter(trial.config["seed"] for trial in facts.trials)
    assert set(seeds.values()) == {1}
    rates = Counter(t.params["optimizer.learning_rate"] for t in phase(facts, "search"))
    assert set(rates.values()) == {1}


def test_more_repeats_extend_a_study(journal: str) -> None:
    walk = Walk(small(), journal)
    before = walk.run()
    walk.spec = small("search.num_repeats=3")
    walk.restart()
    after = walk.run()
    assert of_repeat(after, 0) == list(before.trials)
    assert by_stratum(phase(after, "search")) == dict.fromkeys(walk.spec.searches(), 6)
    assert set(walk.tests.values()) == {1}


def test_searches_stay_within_one_trial_of_each_other(journal: str) -> None:
    spec = small("search.num_repeats=3")
    walk = Walk(spec, journal)
    asked = Counter(dict.fromkeys(map(str, spec.searches()), 0))
    for _ in range(6 * len(asked)):
        assert walk.issue() is not None
        asked[walk.issued[-1].stratum] += 1
        assert max(asked.values()) - min(asked.values()) <= 1


def test_no_two_trials_share_a_folder(journal: str) -> None:
    walk = Walk(small(TWICE), journal)
    walk.run()
    paths = {s.trial_path for s in walk.issued if s.phase != "test"}
    assert len(paths) == len({(s.phase, s.stratum, s.number) for s in walk.issued
                              if s.phase != "test"})  # fmt: skip
    assert not any(other in path.parents for path in paths for other in paths)
