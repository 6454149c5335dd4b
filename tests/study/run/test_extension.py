"""A study that is extended loses no trial, and its old ones stay as they were."""

from pathlib import Path

import pytest

from search_spaces import StudySpec
from study.ledger import Ledger, LedgerFacts
from tests.study.walk import KilledError, Walk, arm, by_stratum, key_of, phase, small
from trainables.error import InputError

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


# What the write that is lost shows of itself in the journal.
_SHOWS = {"its slot": "'slot'", "its config": "'config': {'revision': 2, 'objective': 'exact'"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"journal:{tmp_path / 'ledger.journal'}"


def extended(url: str, *overrides: str) -> tuple[LedgerFacts, LedgerFacts, StudySpec]:
    """A finished study, what it became when it was asked for more, and the new question."""
    walk = Walk(small(), url)
    before = walk.run()
    walk.spec = small(*overrides)
    walk.restart()
    after = walk.run()
    assert walk.ledger.is_finished
    kept = {key_of(trial): trial for trial in after.trials}
    assert all(kept[key_of(trial)] == trial for trial in before.trials)
    for stratum, known in before.strata.items():
        assert known.tests.items() <= after.strata[stratum].tests.items()
    return before, after, walk.spec


def test_more_trials_go_on_from_those_there_are(url: str) -> None:
    _, after, spec = extended(url, "budget.trials_per_stratum=15")
    assert by_stratum(phase(after, "search")) == dict.fromkeys(spec.cells(), 15)


def test_the_best_of_an_extended_search_is_confirmed_beside_those_before(url: str) -> None:
    _, after, spec = extended(url, "budget.trials_per_stratum=15")
    for stratum in spec.cells():
        own = [trial for trial in after.trials if trial.stratum == stratum]
        complete = [t for t in own if t.phase == "search" and t.state == "COMPLETE"]
        best = min(complete, key=lambda trial: (trial.value, trial.number))
        confirmed = {t.attributes["slot"][0] for t in own if t.phase == "confirm"}
        assert f"search-{best.number}" in confirmed
        assert after.strata[stratum].chosen[0] in confirmed
        chosen = [t for t in own if t.phase == "confirm"
                  and t.attributes["slot"][0] == after.strata[stratum].chosen[0]]  # fmt: skip
        assert {t.number for t in chosen} <= after.strata[stratum].tests.keys()


def test_more_strata_get_their_own_trials(url: str) -> None:
    before, after, spec = extended(url, "strata.latent_size=8,16")
    counts = by_stratum(phase(after, "search"))
    assert counts == dict.fromkeys(spec.cells(), 6)
    assert len(before.trials) < len(after.trials)


def test_more_confirm_seeds_are_for_the_chosen_config(url: str) -> None:
    before, after, spec = extended(url, "confirm.num_seeds=4")
    assert phase(after, "search") == phase(before, "search")
    assert by_stratum(phase(after, "confirm")) == dict.fromkeys(spec.cells(), 4)
    assert all(len(known.tests) == 4 for known in after.strata.values())


def test_wider_intervals_are_used(url: str) -> None:
    low = "domains.all.optimizer.learning_rate.low=5e-6"
    _, after, _ = extended(url, low, "budget.trials_per_stratum=30", "search.sampler.kind=random")
    new = [trial for trial in phase(after, "search") if trial.number >= 6]
    assert min(trial.params["optimizer.learning_rate"] for trial in new) < 5e-4


def test_a_field_that_comes_to_vary_leaves_old_trials_their_value(url: str) -> None:
    domain = "domains.all.optimizer.gradient_clip={kind: uniform, low: 10, high: 100}"
    _, after, _ = extended(url, domain, "budget.trials_per_stratum=12")
    for trial in phase(after, "search"):
        assert ("optimizer.gradient_clip" in trial.params) == (trial.number >= 6)


def test_a_ledger_refuses_a_question_that_its_trials_do_not_answer(url: str) -> None:
    walk = Walk(small(), url)
    before = walk.run()
    with pytest.raises(InputError, match=r"budget\.max_epochs=8, not 9"):
        Ledger(small("budget.max_epochs=9"), url)
    assert walk.ledger.facts() == before


def test_the_ledger_of_a_newer_program_is_refused_with_what_to_do(url: str) -> None:
    ledger = Ledger(small(), url)
    ledger._cells[0].search.set_user_attr("question", {"version": 2, "spec": {"other": 1}})
    for open_it in (lambda: Ledger(small(), url), lambda: Ledger.read(url, "small")):
        with pytest.raises(InputError, match="use the newer program"):
            open_it()


def after_a_better_search(url: str) -> tuple[Walk, LedgerFacts]:
    """A tested study whose search was extended, with a better config in some stratum."""
    walk = Walk(small("budget.trials_per_stratum=2"), url)
    before = walk.run()
    walk.spec = small("budget.trials_per_stratum=15")
    walk.restart()
    walk.run()
    return walk, before


def test_an_extended_search_tests_no_other_config_by_itself(url: str) -> None:
    walk, before = after_a_better_search(url)
    after = walk.ledger.facts()
    assert walk.ledger.rivals()
    for stratum, known in before.strata.items():
        assert after.strata[stratum].chosen == known.chosen
        assert after.strata[stratum].tests == known.tests
        assert after.strata[stratum].retests == ()


def test_a_rival_is_tested_for_a_reason_that_stays(url: str) -> None:
    walk, before = after_a_better_search(url)
    stratum, (key,) = next(iter(walk.ledger.rivals().items()))
    others = {cell: known for cell, known in before.strata.items() if cell != stratum}
    walk.ledger.retest(str(stratum), "the space was too narrow")
    walk.restart()
    after = walk.run()
    assert after.strata[stratum].chosen == (key,)
    assert after.strata[stratum].retests == ("the space was too narrow",)
    assert len(after.strata[stratum].tests) == 2 * len(before.strata[stratum].tests)
    own = {t.number: t for t in phase(after, "confirm") if t.stratum == stratum}
    new = after.strata[stratum].tests.keys() - before.strata[stratum].tests.keys()
    assert [own[number].attributes["slot"] for number in sorted(new)] == [
        [key, 0, "fresh"], [key, 1, "fresh"],
    ]  # fmt: skip
    assert {n for n, by in after.strata[stratum].chosen_by.items() if by} == new
    assert before.strata[stratum].tests.items() <= after.strata[stratum].tests.items()
    assert all(after.strata[cell].tests == known.tests for cell, known in others.items())
    assert stratum not in walk.ledger.rivals()
    with pytest.raises(InputError, match="no config that is better"):
        walk.ledger.retest(str(stratum), "once more")


def test_a_search_that_is_extended_before_the_test_is_chosen_from_anew_and_tested_afresh(
    url: str,
) -> None:
    walk = Walk(small("budget.trials_per_stratum=2"), url)
    walk.run_until(lambda s: s.phase == "test")
    walk.spec = small("budget.trials_per_stratum=15")
    walk.restart()
    after = walk.run()
    several = 0
    for stratum, known in after.strata.items():
        own = [t for t in phase(after, "confirm") if t.stratum == stratum]
        candidates = {t.attributes["slot"][0] for t in own}
        several += len(candidates) > 1
        tested = [t.attributes["slot"] for t in own if t.number in known.tests]
        fresh = ["fresh"] if len(candidates) > 1 else []
        assert tested == [[known.chosen[0], replicate, *fresh] for replicate in range(2)]
    assert several
    assert not walk.ledger.rivals()


@pytest.mark.parametrize("lost", ["its slot", "its config"])
def test_a_trial_killed_while_it_was_asked_outlives_an_extension(url: str, lost: str) -> None:
    walk = Walk(small("budget.trials_per_stratum=2", "strata.prior=gaussian"), url)
    walk.run_until(lambda s: s.phase == "search" and s.number == 1)
    arm(walk.ledger, 1, "before", spare=lambda log: _SHOWS[lost] not in log)
    with pytest.raises(KilledError):
        walk.finish()
    walk.spec = small("budget.trials_per_stratum=15", "strata.prior=gaussian")
    walk.restart()
    (known,) = walk.run().strata.values()
    own = walk.ledger.facts()
    best = min(t.value for t in phase(own, "search") if t.state == "COMPLETE" and t.value)
    (chosen,) = known.chosen
    keys = {f"search-{t.number}": t.value for t in phase(own, "search")}
    assert best in {keys[t.attributes["slot"][0]] for t in phase(own, "confirm")}
    assert len(known.tests) == 2
    assert chosen in keys


def test_a_rival_needs_a_stratum_and_a_finished_study(url: str) -> None:
    walk, _ = after_a_better_search(url)
    with pytest.raises(InputError, match="did you mean digits/flow/8"):
        walk.ledger.retest("digits/flo/8", "typing")
    unfinished = Walk(small("name=new"), url)
    with pytest.raises(InputError, match="new is not finished"):
        unfinished.ledger.retest("digits/flow/8", "haste")
