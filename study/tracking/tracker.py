"""The observer that mirrors trials into MLflow as they happen, without ever waiting for it."""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces import Stratum, StudySpec
from study.ledger import Ended
from study.record import Cost, TestResult, TrialRecord
from study.tracking.mirror import STATUS, Mirror
from study.tracking.run import trial_key
from study.tracking.sender import Sender
from study.tracking.store import Store
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion

PATIENCE = 60.0
STUDY = "the study's own run"
Note = Callable[[str, str, Any], None]


class Tracker:
    """Keeps the records of trials under way, and leaves each change of one with the sender."""

    def __init__(
        self,
        connect: Callable[[], Mirror],
        spec: StudySpec,
        *,
        note: Note = lambda ray_trial_id, name, value: None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Connects later, in the sender's thread.

        Args:
            connect: opens the store; called again after every failure.
            spec: the question.
            note: keeps a fact with a running trial in the ledger; called by the driver's thread.
            tell: takes a line for the user.
        """
        self._spec, self._note = spec, note
        self._sender: Sender[Mirror] = Sender(connect, tell)
        self._records: dict[str, TrialRecord] = {}
        self._run_ids: dict[str, str] = {}
        self._ray_trial_ids: dict[str, str] = {}

    def begin(self, records: Sequence[TrialRecord]) -> None:
        """Sends what an earlier driver may have left unsaid."""
        self._send_study(records, is_at_work=True)
        for record in records:
            self._send(record, is_at_work=False)
            if record.state == "RUNNING" or record.phase == "confirm":
                self._records[trial_key(record)] = record

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        """A trial was issued, for the first time or again."""
        if suggestion.phase == "test":
            return
        known = self._records.get(suggestion.key) or _new_record(suggestion)
        config = suggestion.config.model_dump(mode="json")
        self._ray_trial_ids[suggestion.key] = ray_trial_id
        self._keep(replace(known, config=config), is_at_work=True)
        self._note_run(suggestion.key)

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        """The epochs that are new; those of a resumed trial come again."""
        record = self._records[suggestion.key]
        last = record.measurements[-1].epoch if record.measurements else 0
        new = tuple(measurement for measurement in measurements if measurement.epoch > last)
        self._note_run(suggestion.key)
        if new:
            fids = [m.val_fid for m in new if m.val_fid is not None]
            value = fids[-1] if fids else record.value
            curve = record.measurements + new
            self._keep(replace(record, measurements=curve, value=value), is_at_work=True)

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        """An issue ended: for good, to be issued again, or with a result on the test split."""
        key = suggestion.key
        self._ray_trial_ids.pop(key, None)
        record = self._records.get(key)
        if record is None:  # a test of a trial that ended in this process has its record
            return
        state = ended.state
        if test is not None:
            record = replace(record, test=TestResult(**test))
        elif suggestion.phase != "test" and state != "LOST" and state != "TESTED":
            failure = {"failure": ended.failure} if ended.failure else {}
            record = replace(
                record, state=state, reason=ended.reason, ended=time.time(),
                attributes=record.attributes | failure,
            )  # fmt: skip
        self._keep(record, is_at_work=False)
        if record.phase == "search" and record.state in STATUS:
            del self._records[key]

    def end(self, records: Sequence[TrialRecord], *, is_finished: bool) -> tuple[str, ...]:
        """Sends the study as ledger and histories have it now; waits a minute at most.

        Returns:
            The trials that MLflow may lack something of.
        """
        self._send_study(records, is_at_work=False, is_finished=is_finished)
        for record in records:
            self._send(record, is_at_work=False)
        return self._sender.close(PATIENCE)

    def _keep(self, record: TrialRecord, *, is_at_work: bool) -> None:
        self._records[trial_key(record)] = record
        self._send(record, is_at_work=is_at_work)

    def _send(self, record: TrialRecord, *, is_at_work: bool) -> None:
        if record.config:  # else it was killed while being asked
            job = functools.partial(self._show, record=record, is_at_work=is_at_work)
            self._sender.put(trial_key(record), job)

    def _show(self, mirror: Mirror, record: TrialRecord, is_at_work: bool) -> None:
        self._run_ids[trial_key(record)] = mirror.show(record, is_at_work=is_at_work)

    def _send_study(
        self, records: Sequence[TrialRecord], *, is_at_work: bool, is_finished: bool = False
    ) -> None:
        def show(mirror: Mirror) -> None:
            mirror.show_study(records, is_at_work=is_at_work, is_finished=is_finished)

        self._sender.put(STUDY, show)

    def _note_run(self, key: str) -> None:
        """Notes the run's id in the ledger as soon as there is one."""
        run_id, record = self._run_ids.get(key), self._records[key]
        if run_id is not None and record.attributes.get("mlflow_run_id") != run_id:
            self._note(self._ray_trial_ids[key], "mlflow_run_id", run_id)
            attributes = record.attributes | {"mlflow_run_id": run_id}
            self._records[key] = replace(record, attributes=attributes)


def open_mirror(uri: str, spec: StudySpec, study_folder: Path, artifacts: Path | None) -> Mirror:
    """A study in a store.

    Raises:
        STORE_ERRORS: the store does not answer, or is damaged.
    """
    return Mirror(Store(uri, spec.name, artifacts), spec, study_folder)


def _new_record(suggestion: Suggestion) -> TrialRecord:
    return TrialRecord(
        phase="confirm" if suggestion.phase == "confirm" else "search",
        stratum=Stratum.parse(suggestion.stratum),
        number=suggestion.number,
        config={},
        measurements=(),
        state="RUNNING",
        reason="",
        cost=Cost(0, 0.0),
        started=time.time(),
    )
