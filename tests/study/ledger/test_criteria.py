"""Two selections: the configs that the FID chooses, and those that the ELBO chooses."""

import statistics
from collections.abc import Iterable

import pytest

from search_spaces import Stratum
from study.ledger import LedgerFacts, TrialFacts
from tests.study.walk import Walk, best_elbo_of, phase, small
from trainables.config import TrialConfig

BOTH = "confirm.by=fid,elbo"


def of_stratum(facts: LedgerFacts, stratum: Stratum, name: str) -> list[TrialFacts]:
    return [trial for trial in phase(facts, name) if trial.stratum == stratum]


def best(facts: LedgerFacts, stratum: Stratum, num: int) -> dict[str, list[str]]:
    """The keys of the search's best by each criterion."""
    complete = [t for t in of_stratum(facts, stratum, "search") if t.state == "COMPLETE"]
    by_fid = sorted(complete, key=lambda t: (t.value, t.number))
    by_elbo = sorted(complete, key=lambda t: (-t.attributes["best_elbo"], t.number))
    ranked = {"fid": by_fid, "elbo": by_elbo}
    return {name: [f"search-{t.number}" for t in own[:num]] for name, own in ranked.items()}


def means(trials: Iterable[TrialFacts], criterion: str) -> dict[str, float]:
    """By config that chose, the mean of what the criterion compares; lower is better."""
    values: dict[str, list[float]] = {}
    for trial in trials:
        key, _, *fresh = trial.attributes["slot"]
        if not fresh:
            assert trial.value is not None
            elbo = best_elbo_of(TrialConfig.model_validate(trial.config))
            values.setdefault(key, []).append(trial.value if criterion == "fid" else -elbo)
    return {key: statistics.fmean(own) for key, own in values.items()}


@pytest.mark.parametrize("num_configs", [1, 2, 3])
def test_each_criterion_chooses_among_its_own_best(journal: str, num_configs: int) -> None:
    spec = small(BOTH, f"confirm.num_configs={num_configs}", "strata.latent_size=2,4,8")
    facts = Walk(spec, journal).run()
    disagreements = 0
    for stratum, known in facts.strata.items():
        pools = best(facts, stratum, num_configs)
        own = of_stratum(facts, stratum, "confirm")
        assert {t.attributes["slot"][0] for t in own} == {*pools["fid"], *pools["elbo"]}
        chosen = {
            criterion: min(pool, key=lambda key: means(own, criterion)[key])
            for criterion, pool in pools.items()
        }
        assert known.chosen == tuple(dict.fromkeys(chosen.values()))
        for criterion, key in chosen.items():
            stands = [t for t in own if criterion in known.chosen_by[t.number]]
            assert {t.attributes["slot"][0] for t in stands} == {key}
            assert len(stands) == spec.confirm.num_seeds
            assert {t.number for t in stands} <= known.tests.keys()
        disagreements += len(set(chosen.values())) > 1
    assert disagreements


def test_a_config_that_both_choose_is_trained_and_tested_once(journal: str) -> None:
    """One trial that is complete is the best by whatever criterion."""
    spec = small(BOTH, "budget.trials_per_stratum=1", "confirm.num_configs=2")
    walk = Walk(spec, journal)
    facts = walk.run()
    for stratum, known in facts.strata.items():
        assert len(of_stratum(facts, stratum, "confirm")) == 2
        assert known.chosen_by == {0: ("fid", "elbo"), 1: ("fid", "elbo")}
        assert set(known.tests) == {0, 1}
    assert set(walk.tests.values()) == {1}


def test_the_elbo_alone_may_choose(journal: str) -> None:
    spec = small("confirm.by=elbo", "confirm.num_configs=2")
    facts = Walk(spec, journal).run()
    for stratum, known in facts.strata.items():
        own = of_stratum(facts, stratum, "confirm")
        assert {t.attributes["slot"][0] for t in own} == {*best(facts, stratum, 2)["elbo"]}
        scores = means(own, "elbo")
        assert known.chosen == (min(scores, key=lambda key: scores[key]),)
        assert set(known.chosen_by.values()) == {(), ("elbo",)}


def test_chosen_configs_share_their_fresh_seeds(journal: str) -> None:
    """What differs between the two selections is then the config."""
    spec = small(BOTH, "confirm.num_configs=2", "strata.latent_size=2,4,8")
    facts = Walk(spec, journal).run()
    different = [s for s, known in facts.strata.items() if len(known.chosen) == 2]
    assert different
    for stratum in different:
        fresh = [t for t in of_stratum(facts, stratum, "confirm") if t.attributes["slot"][2:]]
        seeds: dict[str, dict[int, int]] = {}
        for trial in fresh:
            key, replicate, _ = trial.attributes["slot"]
            seeds.setdefault(key, {})[replicate] = trial.config["seed"]
        one, two = seeds.values()
        assert one == two


def test_a_criterion_whose_seeds_all_fail_chooses_after_a_retry(journal: str) -> None:
    spec = small(BOTH, "strata.prior=gaussian", "strata.latent_size=4", "confirm.num_configs=2")
    walk = Walk(spec, journal)
    walk.run_until(lambda s: s.phase == "confirm")
    walk.restart()
    (stratum,) = spec.cells()
    pools = best(walk.ledger.facts(), stratum, 2)
    assert set(pools["fid"]) - set(pools["elbo"])
    while (ray_trial_id := walk.issue()) is not None:
        suggestion = walk.issued[-1]
        slots = {t.number: t.attributes["slot"] for t in phase(walk.ledger.facts(), "confirm")}
        if suggestion.phase == "confirm" and slots[suggestion.number][0] in pools["elbo"]:
            walk.close(ray_trial_id, "FAIL", "NaN")
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
    before = walk.ledger.facts().strata[stratum]
    assert {criterion for by in before.chosen_by.values() for criterion in by} == {"fid"}
    walk.ledger.retry_failed()
    after = walk.run().strata[stratum]
    assert {criterion for by in after.chosen_by.values() for criterion in by} == {"fid", "elbo"}
    assert before.tests.items() < after.tests.items()
    assert after.chosen[0] == before.chosen[0]


def test_a_rival_by_either_criterion_is_told_and_tested(journal: str) -> None:
    walk = Walk(small(BOTH, "budget.trials_per_stratum=2"), journal)
    before = walk.run()
    walk.spec = small(BOTH, "budget.trials_per_stratum=15")
    walk.restart()
    walk.run()
    found = walk.ledger.rivals()
    assert found
    for stratum, keys in found.items():
        assert not set(keys) & set(before.strata[stratum].chosen)
        walk.ledger.retest(str(stratum), "the space was too narrow")
        facts = walk.run()
        assert set(keys) <= set(facts.strata[stratum].chosen)
        assert before.strata[stratum].tests.items() <= facts.strata[stratum].tests.items()
    assert walk.ledger.rivals() == {}
