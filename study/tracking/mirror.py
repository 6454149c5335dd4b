"""Makes the runs of MLflow equal to the records of a study; done again, it changes nothing."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tracking import run as shown
from study.tracking.artifact import artifacts, write_spec
from study.tracking.overview import overview
from study.tracking.store import DIGEST, NAME, PARENT, KnownRun, Store
from study.tracking.view import TAG, view_state
from trainables.config import TrialConfig

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
KIND = "mlflow.experimentKind"
WAITING, AT_WORK = "SCHEDULED", "RUNNING"


class Mirror:
    """A study in a store: one run for it, and below that one for each trial."""

    def __init__(self, store: Store, spec: StudySpec, study_folder: Path) -> None:
        """Takes the store, the question, and the folder where the trials' checkpoints lie."""
        self.store, self.spec, self.folder = store, spec, study_folder
        resources = spec.resources
        self._share = resources.gpus or float(resources.cpus)

    def show(self, record: TrialRecord, *, is_at_work: bool = False) -> str:
        """Makes a trial's run say what its record says; the run's id.

        Args:
            record: the trial.
            is_at_work: whether a worker has it now; else what has not ended waits.
        """
        run = self._run(record)
        state = shown.digest(
            shown.tags(self.spec, record), shown.params(self.spec, record),
            len(record.measurements), record.test,
        )  # fmt: skip
        if run.tags.get(DIGEST) == state and run.status == STATUS.get(record.state):
            return run.run_id
        self.store.add_params(run, shown.params(self.spec, record))
        self._log_dataset(run, record)
        had_fid = self._log_epochs(run, record)
        self._log_test(run, record)
        if record.state in STATUS or had_fid:
            self._log_artifacts(run, record)
        if record.state in STATUS:
            self.store.set_status(run, STATUS[record.state], record.ended or time.time())
        else:
            self.store.set_status(run, AT_WORK if is_at_work else WAITING)
        tags = shown.tags(self.spec, record) | {
            NAME: shown.run_name(self.spec, record),
            shown.NOTE: shown.description(self.spec, record),
        }
        # Last, since it says that all before was done.
        self.store.set_tags(run, tags | {DIGEST: state if record.state in STATUS else ""})
        return run.run_id

    def show_study(
        self, records: Sequence[TrialRecord], *, is_at_work: bool, is_finished: bool
    ) -> None:
        """The run of the study itself: what all trials share, and how far they are."""
        run = self._parent()
        status = AT_WORK if is_at_work else "FINISHED" if is_finished else WAITING
        note = overview(self.spec, records)
        self.store.set_experiment_tags(
            {shown.NOTE: note, TAG: view_state(records), KIND: "custom_model_development"}
        )
        self.store.add_params(run, shown.common_params(self.spec))
        with tempfile.TemporaryDirectory() as folder:
            self.store.log_files(run, write_spec(self.spec, Path(folder)))
        self.store.set_status(run, status, time.time())
        self.store.set_tags(run, {NAME: self.spec.name, shown.NOTE: note, "state": status})

    def _parent(self) -> KnownRun:
        tags = {"study": self.spec.name, "phase": "study"}
        return self.store.run("") or self.store.create(self.spec.name, tags, time.time())

    def _run(self, record: TrialRecord) -> KnownRun:
        key = shown.trial_key(record)
        run = self.store.run(key, record.attributes.get("mlflow_run_id"))
        if run is None:
            tags = shown.tags(self.spec, record) | {PARENT: self._parent().run_id}
            name = shown.run_name(self.spec, record)
            return self.store.create(name, tags, record.started or time.time())
        return run

    def _log_epochs(self, run: KnownRun, record: TrialRecord) -> bool:
        """Logs the epochs that are missing; whether one of them has a FID."""
        if not record.measurements:
            return False
        last = self.store.last_epoch(run)
        epochs = [e for e in shown.epoch_metrics(record, self._share) if e[0] > last]
        self.store.log_epochs(run, epochs)
        return any("val_fid" in metrics for _, _, metrics in epochs)

    def _log_test(self, run: KnownRun, record: TrialRecord) -> None:
        if record.test is None or self.store.history(run, "test_fid"):
            return
        config = TrialConfig.from_stored(record.config)
        seconds = sum(measurement.seconds for measurement in record.measurements)
        self.store.log_epochs(run, [(config.max_epochs, seconds, record.test.metrics())])

    def _log_artifacts(self, run: KnownRun, record: TrialRecord) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.store.log_files(run, artifacts(self.folder, record, Path(folder)))

    def _log_dataset(self, run: KnownRun, record: TrialRecord) -> None:
        facts = self.spec.datasets.get(record.stratum.dataset)
        if facts is not None:
            image = facts.format
            size = f"{image.size} x {image.size}, {image.channels} channels"
            self.store.log_dataset(run, record.stratum.dataset, facts.fingerprint, size)
