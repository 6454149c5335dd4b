"""The driver carries what workers return to the ledger, and tells observers in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from search_spaces import StudySpec, load_space
from study.driver import Driver
from study.ledger import Ended, Ledger
from study.ledger.failure import RETRIES, Failure, FailureKind
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion

GONE = Failure(FailureKind.LOST, "its worker is gone")
WORKER = {"executable": "python", "host": "here", "device": "cpu"}


class Recorder:
    """An observer that remembers everything."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        self.heard.append(("began", suggestion.phase, suggestion.key, suggestion.attempt))

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        self.heard.append(("measured", suggestion.key, [m.epoch for m in measurements]))

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        self.heard.append(("ended", suggestion.key, *ended, test))


@pytest.fixture
def spec() -> StudySpec:
    return load_space("digits", [
        "strata.prior=gaussian", "strata.latent_size=8", "budget.trials_per_stratum=3",
        "budget.max_epochs=8", "budget.first_rung=2", "budget.min_peers=1",
        "budget.control_share=0", "confirm.num_seeds=2",
    ])  # fmt: skip


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def driver(spec: StudySpec, recorder: Recorder) -> Driver:
    return Driver(Ledger(spec, "memory:"), [recorder])


def epoch(number: int, fid: float | None = None, elbo: float | None = -3.0) -> dict[str, float]:
    best = None if fid is None else number
    return Measurement(
        epoch=number, rate=1.0, distortion=2.0, elbo=elbo, bits_per_dim=1.0, train_rate=1.0,
        train_distortion=2.0, kl_weight=1.0, seconds=0.5, val_fid=fid, best_epoch=best,
    ).as_dict()  # fmt: skip


def result(*curve: dict[str, float], done: bool = False, test: Any = None) -> dict[str, Any]:
    return {"curve": list(curve), "test": test, "done": done, "worker": WORKER}


def full_length(fid: float) -> dict[str, Any]:
    rungs = {2, 4, 8}
    return result(*(epoch(e, fid if e in rungs else None) for e in range(1, 9)), done=True)


def facts_of(driver: Driver, number: int = 0) -> Any:
    return driver.ledger.facts().trials[number]


def finish(driver: Driver, ray_trial_id: str) -> Suggestion | None:
    """The whole life of the next trial, at its best."""
    suggestion = driver.issue(ray_trial_id)
    if suggestion is None:
        return None
    is_test = suggestion.phase == "test"
    driver.absorb(ray_trial_id, result(test={"test_fid": 9.0}) if is_test else full_length(10.0))
    return suggestion


def test_observers_hear_a_trial_begin_go_on_and_end(driver: Driver, recorder: Recorder) -> None:
    suggestion = driver.issue("a")
    assert suggestion is not None
    assert driver.absorb("a", result(epoch(1), epoch(2, 30.0))) is False
    assert driver.absorb("a", result(epoch(3), epoch(4, 20.0))) is False
    assert driver.absorb("a", result(epoch(8, 10.0), done=True)) is True
    assert recorder.heard == [
        ("began", "search", suggestion.key, 1),
        ("measured", suggestion.key, [1, 2]),
        ("measured", suggestion.key, [3, 4]),
        ("measured", suggestion.key, [8]),
        ("ended", suggestion.key, "COMPLETE", "", "", None),
    ]


def test_every_observer_hears_the_same(spec: StudySpec) -> None:
    recorders = Recorder(), Recorder()
    driver = Driver(Ledger(spec, "memory:"), recorders)
    finish(driver, "a")
    assert recorders[0].heard == recorders[1].heard != []


def test_a_curve_brings_all_its_rungs_to_the_ledger(driver: Driver) -> None:
    driver.issue("a")
    driver.absorb("a", result(epoch(1), epoch(2, 30.0), epoch(3), epoch(4, 20.0), epoch(5)))
    assert facts_of(driver).rungs == {2: 30.0, 4: 20.0}


def test_a_trial_ends_at_the_first_rung_that_prunes_it(driver: Driver, recorder: Recorder) -> None:
    finish(driver, "good")
    driver.issue("bad")
    assert driver.absorb("bad", result(epoch(1), epoch(2, 99.0), epoch(3), epoch(4, 1.0)))
    trial = facts_of(driver, 1)
    assert (trial.state, trial.rungs) == ("PRUNED", {2: 99.0})
    assert recorder.heard[-1][2:4] == ("PRUNED", "pruned at epoch 2") == ("PRUNED", trial.reason)


def test_epochs_that_come_again_cost_once(driver: Driver) -> None:
    driver.issue("a")
    driver.absorb("a", result(epoch(1), epoch(2, 30.0)))
    driver.absorb("a", full_length(30.0))
    assert facts_of(driver).attributes["cost"] == {"epochs": 8, "seconds": 4.0}


def test_the_ledger_remembers_the_best_elbo_of_every_epoch(driver: Driver) -> None:
    driver.issue("a")
    driver.absorb("a", result(epoch(1, elbo=-9.0), epoch(2, 30.0, elbo=-4.0)))
    driver.absorb("a", result(*(epoch(e, 9.0, elbo=-5.0) for e in (4, 8)), done=True))
    trial = facts_of(driver)
    assert (trial.state, trial.attributes["best_elbo"]) == ("COMPLETE", -4.0)


def test_a_trial_without_a_bound_has_no_best_elbo(driver: Driver) -> None:
    driver.issue("a")
    driver.absorb("a", result(*(epoch(e, 9.0, elbo=None) for e in (2, 4, 8)), done=True))
    trial = facts_of(driver)
    assert trial.state == "COMPLETE"
    assert "best_elbo" not in trial.attributes


def test_a_resumed_trial_is_told_with_the_best_elbo_of_its_past(
    spec: StudySpec, tmp_path: Path
) -> None:
    url = f"journal:{tmp_path / 'ledger.journal'}"
    first = Driver(Ledger(spec, url))
    first.issue("a")
    past = (epoch(1, elbo=-1.0), epoch(2, 30.0, elbo=-7.0))
    first.absorb("a", result(*past))
    second = Driver(Ledger(spec, url))
    second.issue("b")
    second.absorb("b", result(*past))
    second.absorb("b", result(*(epoch(e, 9.0, elbo=-5.0) for e in (4, 8)), done=True))
    assert facts_of(second).attributes["best_elbo"] == -1.0


def test_the_ledger_remembers_on_what_a_trial_ran(driver: Driver) -> None:
    driver.issue("a")
    driver.absorb("a", result(epoch(1)))
    assert facts_of(driver).attributes["worker"] == WORKER


def test_damaged_checkpoints_are_told_once_and_kept_with_the_trial(spec: StudySpec) -> None:
    warned: list[str] = []
    driver = Driver(Ledger(spec, "memory:"), warn=warned.append)
    suggestion = driver.issue("a")
    assert suggestion is not None
    for number in (1, 2):
        driver.absorb("a", {**result(epoch(number)), "damaged": ["1/epoch-000004"]})
    assert len(warned) == 1
    assert suggestion.key in warned[0]
    assert "1/epoch-000004 damaged" in warned[0]
    assert facts_of(driver).attributes["damaged_checkpoints"] == ["1/epoch-000004"]


@pytest.mark.parametrize("ray_trial_id", ["never issued", "ended"])
def test_results_of_unknown_trials_are_told_to_stop(
    driver: Driver, recorder: Recorder, ray_trial_id: str
) -> None:
    driver.issue("ended")
    driver.absorb("ended", full_length(10.0))
    before = list(recorder.heard), driver.ledger.facts()
    assert driver.absorb(ray_trial_id, result(epoch(2, 1.0))) is True
    driver.fail(ray_trial_id, Failure(FailureKind.LOST, "late"))
    assert (recorder.heard, driver.ledger.facts()) == before


def test_a_failure_is_told_with_its_reason_and_the_study_goes_on(
    driver: Driver, recorder: Recorder
) -> None:
    first = driver.issue("a")
    driver.fail("a", Failure(FailureKind.DIVERGED, "rate is nan in epoch 3"))
    assert recorder.heard[-1][2:] == ("FAIL", "rate is nan in epoch 3", "diverged", None)
    assert facts_of(driver).state == "FAIL"
    second = driver.issue("b")
    assert first is not None
    assert second is not None
    assert second.number == first.number + 1


def test_a_lost_trial_is_issued_again(driver: Driver, recorder: Recorder) -> None:
    first = driver.issue("a")
    driver.fail("a", GONE)
    assert recorder.heard[-1][2] == "LOST"
    second = driver.issue("b")
    assert first is not None
    assert second == first.model_copy(update={"attempt": 2})
    assert driver.absorb("a", result(epoch(2, 1.0))) is True
    assert facts_of(driver).rungs == {}


@pytest.mark.parametrize("way", ["lost too often", "without a last FID"])
def test_observers_hear_the_state_that_the_ledger_has(
    driver: Driver, recorder: Recorder, way: str
) -> None:
    if way == "lost too often":
        for attempt in range(RETRIES[FailureKind.LOST] + 1):
            driver.issue(str(attempt))
            driver.fail(str(attempt), GONE)
    else:
        driver.issue("a")
        driver.absorb("a", result(epoch(8), done=True))
    assert facts_of(driver).state == "FAIL"
    assert recorder.heard[-1][2] == "FAIL"


def test_after_a_request_to_stop_nothing_more_is_issued(
    spec: StudySpec, recorder: Recorder
) -> None:
    asked: list[bool] = []
    driver = Driver(Ledger(spec, "memory:"), [recorder], lambda: bool(asked))
    driver.issue("a")
    asked.append(True)
    assert driver.issue("b") is None
    assert driver.is_over
    asked.clear()
    assert driver.issue("c") is None


def test_what_is_stopped_stays_running_and_is_taken_up_again(
    spec: StudySpec, recorder: Recorder, tmp_path: Any
) -> None:
    url = f"journal:{tmp_path / 'ledger.journal'}"
    driver = Driver(Ledger(spec, url), [recorder], lambda: True)
    driver.stop_requested = lambda: False
    suggestion = driver.issue("a")
    driver.stop_requested = lambda: True
    assert driver.absorb("a", result(epoch(1), epoch(2, 30.0))) is True
    assert facts_of(driver).state == "RUNNING"
    assert facts_of(driver).rungs == {2: 30.0}
    assert all(heard[0] != "ended" for heard in recorder.heard)
    assert suggestion is not None
    again = Driver(Ledger(spec, url)).issue("z")
    assert again == suggestion.model_copy(update={"attempt": 2})


def test_a_trial_that_ends_as_the_study_stops_is_complete(driver: Driver) -> None:
    driver.issue("a")
    driver.stop_requested = lambda: True
    assert driver.absorb("a", full_length(10.0)) is True
    assert facts_of(driver).state == "COMPLETE"


def test_the_whole_way_is_search_confirm_test(driver: Driver, recorder: Recorder) -> None:
    numbers = map(str, range(100))
    while not driver.is_over:
        assert finish(driver, next(numbers)) is not None
    phases = [heard[1] for heard in recorder.heard if heard[0] == "began"]
    assert phases == ["search"] * 3 + ["confirm"] * 2 + ["test"] * 2
    tested = [heard for heard in recorder.heard if heard[2] == "TESTED"]
    assert [heard[-1] for heard in tested] == [{"test_fid": 9.0}] * 2
    assert finish(driver, "late") is None


def test_a_test_that_fails_is_tried_once_more_and_the_study_ends(
    driver: Driver, recorder: Recorder
) -> None:
    numbers = map(str, range(100))
    while not driver.is_over:
        ray_trial_id = next(numbers)
        suggestion = driver.issue(ray_trial_id)
        assert suggestion is not None
        if suggestion.phase == "test":
            driver.fail(ray_trial_id, Failure(FailureKind.RAISED, "no checkpoint"))
        else:
            driver.absorb(ray_trial_id, full_length(10.0))
    ended = [heard[2] for heard in recorder.heard if heard[0] == "ended"]
    assert sorted(ended[-4:]) == ["FAIL", "FAIL", "LOST", "LOST"]
    assert all(known.tests == {} for known in driver.ledger.facts().strata.values())


@pytest.mark.parametrize("num_workers", [1, 3])
def test_any_number_of_workers_ends_the_study_within_its_budget(
    spec: StudySpec, num_workers: int
) -> None:
    driver = Driver(Ledger(spec, "memory:"))
    numbers = map(str, range(100))
    running: dict[str, Suggestion] = {}
    while not driver.is_over:
        while len(running) < num_workers and (name := next(numbers)):
            suggestion = driver.issue(name)
            if suggestion is None:
                break
            running[name] = suggestion
        name, suggestion = running.popitem()
        answer = result(test={"test_fid": 9.0}) if suggestion.phase == "test" else None
        driver.absorb(name, answer or full_length(10.0 + len(running)))
    facts = driver.ledger.facts()
    assert len(facts.trials) == spec.budget.trials_per_stratum + spec.confirm.num_seeds
    assert [len(known.tests) for known in facts.strata.values()] == [spec.confirm.num_seeds]


# Failures by kind


@pytest.mark.parametrize("kind", FailureKind)
def test_each_kind_of_failure_has_its_own_number_of_attempts(
    driver: Driver, kind: FailureKind
) -> None:
    attempts = 0
    while facts_of(driver).state == "RUNNING" if attempts else True:
        suggestion = driver.issue(str(attempts))
        assert suggestion is not None
        assert (suggestion.number, suggestion.attempt) == (0, attempts + 1)
        driver.fail(str(attempts), Failure(kind, "just so"))
        attempts += 1
    trial = facts_of(driver)
    assert attempts == RETRIES[kind] + 1
    assert (trial.state, trial.attributes["failure"]) == ("FAIL", str(kind))
    assert trial.reason.endswith("just so")
    assert [known["kind"] for known in trial.attributes["failures"]] == [str(kind)] * attempts


def test_failures_of_one_kind_do_not_use_up_the_attempts_of_another(driver: Driver) -> None:
    for number, kind in enumerate((FailureKind.RAISED, FailureKind.STUCK, FailureKind.LOST)):
        driver.issue(str(number))
        driver.fail(str(number), Failure(kind, "once"))
    assert facts_of(driver).state == "RUNNING"
    driver.issue("last")
    driver.absorb("last", full_length(10.0))
    assert facts_of(driver).state == "COMPLETE"


def test_a_full_memory_is_tried_again_with_twice_the_resources(
    spec: StudySpec, tmp_path: Path
) -> None:
    url = f"journal:{tmp_path / 'ledger.journal'}"
    driver = Driver(Ledger(spec, url))
    driver.issue("a")
    assert driver.resource_factor("a") == 1
    driver.fail("a", Failure(FailureKind.OUT_OF_MEMORY, "CUDA out of memory"))
    driver.issue("b")
    assert driver.resource_factor("b") == 2
    restarted = Driver(Ledger(spec, url))
    restarted.issue("c")
    restarted.issue("d")
    assert [restarted.resource_factor(name) for name in "cd"] == [2, 1]


def test_attempts_are_counted_across_restarts(spec: StudySpec, tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'ledger.journal'}"
    for _ in range(2):
        driver = Driver(Ledger(spec, url))
        driver.issue("a")
        driver.fail("a", Failure(FailureKind.RAISED, "KeyError: 'x'"))
    assert facts_of(driver).state == "FAIL"
    assert facts_of(driver).reason == "exception 2 times: KeyError: 'x'"


def test_what_ran_on_a_lost_node_is_issued_again(spec: StudySpec) -> None:
    driver = Driver(Ledger(spec, "memory:"))
    before = [driver.issue(name) for name in ("one", "two")]
    driver.lose_all("the node has died")
    assert not driver.running
    after = [driver.issue(name) for name in ("three", "four")]
    keys = [[(s.key, s.attempt) for s in suggestions if s] for suggestions in (before, after)]
    assert keys[1] == [(key, attempt + 1) for key, attempt in keys[0]]


def test_silence_is_a_failure_of_its_own_kind(spec: StudySpec) -> None:
    now = [0.0]
    driver = Driver(Ledger(spec, "memory:"), clock=lambda: now[0])
    limit = spec.resources.stuck_seconds
    driver.issue("waits")
    driver.issue("works")
    assert driver.stuck(["works"]) == []
    now[0] = limit
    driver.absorb("works", result(epoch(1)))
    now[0] = 2 * limit
    assert driver.stuck(["works"]) == []
    now[0] += 1
    assert driver.stuck(["waits", "works"]) == ["works"]
    assert driver.stuck(["waits", "works"]) == []  # it is asked to be killed once
    driver.fail("works", GONE)
    failures = facts_of(driver, 1).attributes["failures"]
    assert [known["kind"] for known in failures] == ["stuck"]
    assert driver.stuck(["waits"]) == []
