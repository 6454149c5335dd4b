"""What a driver says is said once, and workers that are lost lose nothing."""

import pytest

from study.ledger import Ledger
from study.ledger.failure import RETRIES, FailureKind
from tests.study.walk import Walk, key_of, phase, small

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
