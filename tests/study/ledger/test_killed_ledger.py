"""Kills at random, and at every write."""

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from search_spaces import StudySpec
from study.ledger import Ledger, LedgerFacts, StratumFacts, TrialFacts
from tests.study.walk import KilledError, Walk, arm, by_stratum, key_of, phase, proposals, small
from trainables.config import TrialConfig


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


ONE_CANDIDATE: tuple[str, ...] = ()
SEVERAL_CANDIDATES = ("confirm.num_configs=2", "confirm.num_seeds=3")
TWO_CRITERIA = ("confirm.num_configs=2", "confirm.by=fid,elbo", "search.num_repeats=2")


@pytest.mark.parametrize(
    ("seed", "overrides"),
    [
        *((seed, ONE_CANDIDATE) for seed in range(30)),
        *((seed, SEVERAL_CANDIDATES) for seed in range(30, 45)),
        *((seed, TWO_CRITERIA) for seed in range(45, 60)),
    ],
)
def test_after_any_kills_the_study_is_as_it_should_be(
    journal: str, seed: int, overrides: tuple[str, ...]
) -> None:
    spec = small("budget.trials_per_stratum=5", "budget.min_peers=1", *overrides)
    walk = walk_through_kills(spec, journal, seed)
    facts = Ledger.read(journal, "small")
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(spec.searches(), 5)
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
        assert bool(confirms) == has_candidate
        assert_every_seed_once(walk.spec, known, confirms)
        tested = {t.number for t in confirms if t.state == "COMPLETE" and stands(known, t)}
        assert set(known.tests) == tested
        of_config = Counter((t.attributes["slot"][0], t.config["seed"]) for t in confirms)
        assert set(of_config.values()) <= {1}
    assert set(walk.tests.values()) <= {1}


def assert_every_seed_once(
    spec: StudySpec, known: StratumFacts, confirms: list[TrialFacts]
) -> None:
    """Each candidate has its seeds; then, if there are several, each chosen one has others."""
    slots = sorted(tuple(trial.attributes["slot"]) for trial in confirms)
    candidates = {slot[0] for slot in slots}
    replicates = range(spec.confirm.num_seeds)
    wanted: list[tuple[object, ...]] = [*itertools.product(candidates, replicates)]
    if len(candidates) > 1:
        wanted += itertools.product(known.chosen, replicates, ["fresh"])
        deciding = [t for t in confirms if len(t.attributes["slot"]) == 2]
        assert bool(known.chosen) == any(t.state == "COMPLETE" for t in deciding)
    assert slots == sorted(wanted)


def stands(known: StratumFacts, trial: TrialFacts) -> bool:
    return bool(known.chosen_by[trial.number])


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
@pytest.mark.parametrize("overrides", [ONE_CANDIDATE, SEVERAL_CANDIDATES, TWO_CRITERIA])
def test_kills_change_nothing_of_what_one_worker_finds(
    tmp_path: Path, manner: str, overrides: tuple[str, ...]
) -> None:
    spec = small(*overrides)
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    straight.run()
    killed = killed_at_every_write(spec, f"journal:{tmp_path / 'killed'}", manner)
    assert proposals(killed) == proposals(straight)
    essence = [
        [(key_of(t), t.state, t.value, t.rungs, t.decisions) for t in walk.ledger.facts().trials]
        for walk in (killed, straight)
    ]
    assert essence[0] == essence[1]
    assert killed.ledger.facts().strata == straight.ledger.facts().strata


@pytest.mark.parametrize("manner", ["before", "after"])
def test_a_kill_at_any_write_of_a_choice_leaves_the_same_seeds(
    tmp_path: Path, manner: str
) -> None:
    """From the last seed that chooses to the first that is tested, each write in its turn."""
    spec = small("strata.prior=gaussian", *TWO_CRITERIA[:2])
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    wanted = straight.run()
    number_of_last = next(n for n, t in enumerate(phase(wanted, "confirm")) if is_fresh(t)) - 1
    for write in range(1, 25):
        walk = Walk(spec, f"journal:{tmp_path / f'{manner}-{write}'}")
        last = walk.run_until(lambda s: s.phase == "confirm" and s.number == number_of_last)
        while len(walk.under_way[last][1]) > 1:
            walk.advance(last)
        arm(walk.ledger, write, manner)
        with pytest.raises(KilledError):
            walk.finish()
        walk.restart()
        facts = walk.run()
        assert facts.strata == wanted.strata
        assert [t.config for t in facts.trials] == [t.config for t in wanted.trials]


def is_fresh(trial: TrialFacts) -> bool:
    return bool(trial.attributes["slot"][2:])


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
