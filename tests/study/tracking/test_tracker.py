"""The driver's loop never waits for MLflow, and MLflow ends up with everything."""

import functools
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from search_spaces import StudySpec
from study.driver import Driver
from study.ledger import Ledger, LedgerFacts
from study.record import Cost, TestResult, TrialRecord
from study.tracking import tracker as module
from study.tracking.mirror import Mirror
from study.tracking.sender import Sender
from study.tracking.tracker import Tracker
from tests.simulation import TABLE_1, Simulation
from tests.study.tracking.conftest import BrokenClient, Connect, assert_mirrored, trial_runs
from tests.study.walk import small
from trainables.measurement import Measurement


@pytest.fixture(scope="session")
def spec() -> StudySpec:
    return small()


class Watch:
    """Remembers the measurements, as the trials' own histories do."""

    def __init__(self) -> None:
        self.curves: dict[str, list[Measurement]] = {}

    def began(self, ray_trial_id: str, suggestion: Any) -> None:
        self.curves.setdefault(suggestion.key, [])

    def measured(self, suggestion: Any, measurements: Any) -> None:
        curve = self.curves[suggestion.key]
        known = {measurement.epoch for measurement in curve}
        curve += [measurement for measurement in measurements if measurement.epoch not in known]

    def ended(self, suggestion: Any, ended: Any, test: Any) -> None:
        pass

    def records(self, facts: LedgerFacts) -> list[TrialRecord]:
        return [
            TrialRecord(
                trial.phase, trial.stratum, trial.number, trial.config,
                tuple(self.curves[f"{trial.phase}/{trial.stratum}/{trial.number}"]),
                trial.state, trial.reason, Cost(0, 0.0), value=trial.value,
                attributes=trial.attributes, started=trial.started, ended=trial.ended,
                test=_test_of(facts, trial),
            )
            for trial in facts.trials
        ]  # fmt: skip


def _test_of(facts: LedgerFacts, trial: Any) -> TestResult | None:
    tests = facts.strata[trial.stratum].tests if trial.phase == "confirm" else {}
    return TestResult(**tests[trial.number]) if trial.number in tests else None


def run(
    connect: Callable[[], Mirror], spec: StudySpec, told: list[str]
) -> tuple[Tracker, list[TrialRecord]]:
    """A whole simulated study with a tracker beside it."""
    ledger = Ledger(spec, "memory:")
    watch = Watch()
    tracker = Tracker(connect, spec, note=ledger.note, tell=told.append)
    tracker.begin([])
    Simulation(Driver(ledger, (tracker, watch)), TABLE_1).run()
    return tracker, watch.records(ledger.facts())


def test_a_whole_study_is_in_mlflow(connect: Connect, uri: str, spec: StudySpec) -> None:
    told: list[str] = []
    tracker, records = run(connect, spec, told)
    assert tracker.end(records, is_finished=True) == ()
    assert_mirrored(uri, spec.name, records)
    assert any(record.test for record in records)
    assert told == []


def test_a_study_ends_while_the_server_has_answered_nothing(
    connect: Connect, uri: str, spec: StudySpec
) -> None:
    answers = threading.Event()

    def hanging() -> Mirror:
        assert answers.wait(60)
        return connect()

    tracker, records = run(hanging, spec, [])
    assert trial_runs_or_none(uri, spec) is None  # the whole study ran meanwhile
    answers.set()
    assert tracker.end(records, is_finished=True) == ()
    assert_mirrored(uri, spec.name, records)


def trial_runs_or_none(uri: str, spec: StudySpec) -> object:
    return MlflowClient(uri).get_experiment_by_name(spec.name)


def test_a_server_that_is_down_from_start_to_end_is_told_plainly_and_sync_makes_up_for_it(
    connect: Connect, uri: str, spec: StudySpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> Mirror:
        raise ConnectionError("connection refused")

    told: list[str] = []
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    tracker, records = run(refused, spec, told)
    missing = tracker.end(records, is_finished=True)
    assert len(missing) == len(records) + 1
    assert told == ["not reached (connection refused); the study goes on, and sends it later"]
    mirror = connect()
    for record in records:
        mirror.show(record)
    assert_mirrored(uri, spec.name, records)


@pytest.mark.parametrize("is_done", [False, True], ids=["disk full", "answer lost"])
def test_a_server_that_breaks_in_the_middle_misses_nothing(
    is_done: bool,
    connect: Connect,
    uri: str,
    spec: StudySpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "Sender", functools.partial(Sender, first_pause=0.0))
    breaks = iter([3, 10, 20, 40])

    def breaking() -> Mirror:
        mirror = connect()
        at = next(breaks, None)
        if at is not None:
            mirror.store.client = BrokenClient(mirror.store.client, at, is_done=is_done)
        return mirror

    told: list[str] = []
    tracker, records = run(breaking, spec, told)
    assert tracker.end(records, is_finished=True) == ()
    assert_mirrored(uri, spec.name, records)
    assert next(breaks, None) is None
    assert told


def test_the_ledger_knows_each_run_that_was_made_in_time(
    connect: Connect, uri: str, spec: StudySpec, tmp_path: Path
) -> None:
    """Only the driver's thread writes the ledger: with each result, once MLflow has answered."""
    ledger = Ledger(spec, f"journal:{tmp_path / 'ledger.journal'}")
    threads: set[str] = set()

    def note(ray_trial_id: str, name: str, value: Any) -> None:
        threads.add(threading.current_thread().name)
        ledger.note(ray_trial_id, name, value)

    tracker = Tracker(connect, spec, note=note)
    tracker.begin([])
    suggestion = ledger.next("one")
    assert suggestion is not None
    tracker.began("one", suggestion)
    while not tracker._run_ids:
        threading.Event().wait(0.01)
    tracker.measured(suggestion, [])
    assert tracker.end([], is_finished=False) == ()
    (trial,) = ledger.facts().trials
    run = trial_runs(uri, spec.name)[suggestion.key]
    assert trial.attributes["mlflow_run_id"] == run.info.run_id
    assert threads == {threading.main_thread().name}


def test_a_driver_that_was_killed_leaves_nothing_twice_and_nothing_running(
    connect: Connect, uri: str, spec: StudySpec, tmp_path: Path
) -> None:
    url, watch = f"journal:{tmp_path / 'ledger.journal'}", Watch()
    for until in (5.0, 9.0, math.inf):  # each driver is gone in the middle of trials
        ledger = Ledger(spec, url)
        tracker = Tracker(connect, spec, note=ledger.note)
        tracker.begin(watch.records(ledger.facts()))
        Simulation(Driver(ledger, (tracker, watch)), TABLE_1, num_workers=2).run(until)
        if until < math.inf:
            tracker._sender.close(30)
            assert any(run.info.status == "RUNNING" for run in trial_runs(uri, spec.name).values())
    records = watch.records(ledger.facts())
    assert tracker.end(records, is_finished=True) == ()
    assert_mirrored(uri, spec.name, records)


def test_a_trial_that_waits_for_a_worker_is_not_running(
    connect: Connect, uri: str, spec: StudySpec
) -> None:
    tracker, records = run(connect, spec, [])
    records[0] = replace(records[0], state="RUNNING", reason="", number=99)
    assert tracker.end(records, is_finished=False) == ()
    runs = trial_runs(uri, spec.name)
    assert runs[f"search/{records[0].stratum}/99"].info.status == "SCHEDULED"
    assert all(run.info.status != "RUNNING" for run in runs.values())
