"""The door to MLflow: one experiment of a store, and what is asked of it.

A run is found by its tag `trial`. Nothing here is repeated by itself: a request that fails is an
error, quickly, and whoever asked begins anew on a fresh store.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Read by MLflow with each request; its own defaults wait for minutes. What the user set stands.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)
TRIAL, DIGEST = "trial", "study.digest"
PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"
BATCH = 1000
DIGEST_LENGTH = 36


@dataclass(slots=True)
class KnownRun:
    """A run as the store has it.

    Attributes:
        run_id: MLflow's.
        start: unix time in milliseconds.
        status: MLflow's.
        tags: by name.
        params: their names.
        has_dataset: whether a data set is logged.
        last_epoch: the last epoch that is logged; None where nobody looked.
    """

    run_id: str
    start: int
    status: str
    tags: dict[str, str]
    params: set[str] = field(default_factory=set)
    has_dataset: bool = False
    last_epoch: int | None = None


class Store:
    """The experiment of one study, with its active runs."""

    def __init__(self, uri: str, study: str, artifacts: Path | None = None) -> None:
        """Opens the experiment, or makes it, and finds its runs.

        Args:
            uri: MLflow's tracking URI.
            study: name of the experiment.
            artifacts: where artifacts go; None leaves it to the tracking server.

        Raises:
            STORE_ERRORS: the store does not answer, or is damaged.
        """
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        self.client = MlflowClient(tracking_uri=uri)
        self.experiment = self._open_experiment(study, artifacts)
        self.runs: dict[str, list[KnownRun]] = {}
        for run in self._find_runs():
            self.runs.setdefault(run.tags.get(TRIAL, ""), []).append(run)

    def run(self, trial: str, preferred: str | None = None) -> KnownRun | None:
        """The run of a trial (`""`: of the study); others of the same trial are deleted.

        A request that was carried out although its answer was lost leaves two.
        """
        found = self.runs.get(trial, [])
        if not found:
            return None
        found.sort(key=lambda run: (run.run_id != preferred, run.start, run.run_id))
        while len(found) > 1:
            self.client.delete_run(found[-1].run_id)
            found.pop()
        return found[0]

    def create(self, name: str, tags: Mapping[str, str], start: float) -> KnownRun:
        """A new run, RUNNING; `start` in unix seconds."""
        milliseconds = int(start * 1000)
        run = self.client.create_run(
            self.experiment, start_time=milliseconds, tags=dict(tags), run_name=name
        )
        known = KnownRun(run.info.run_id, milliseconds, "RUNNING", dict(tags), last_epoch=0)
        self.runs.setdefault(tags.get(TRIAL, ""), []).append(known)
        return known

    def set_experiment_tags(self, tags: Mapping[str, str]) -> None:
        """Tags of the experiment, such as its description."""
        for name, value in tags.items():
            self.client.set_experiment_tag(self.experiment, name, value)

    def add_params(self, run: KnownRun, params: Mapping[str, str]) -> None:
        """Those that the run has not; a param of MLflow never changes."""
        missing = {name: value for name, value in params.items() if name not in run.params}
        for names in _parts(list(missing), 100):
            self.client.log_batch(run.run_id, params=[Param(n, missing[n]) for n in names])
            run.params |= set(names)

    def set_tags(self, run: KnownRun, tags: Mapping[str, str]) -> None:
        """Those that differ."""
        changed = {name: value for name, value in tags.items() if run.tags.get(name) != value}
        if changed:
            tags_now = [RunTag(name, value) for name, value in changed.items()]
            self.client.log_batch(run.run_id, tags=tags_now)
            run.tags |= changed

    def set_status(self, run: KnownRun, status: str, end: float | None = None) -> None:
        """RUNNING, SCHEDULED, or an end at `end`, unix seconds."""
        if run.status == status:
            return
        if status in ("RUNNING", "SCHEDULED"):
            self.client.update_run(run.run_id, status=status)
        else:
            end_time = None if end is None else int(end * 1000)
            self.client.set_terminated(run.run_id, status=status, end_time=end_time)
        run.status = status

    def last_epoch(self, run: KnownRun) -> int:
        """The last epoch that is logged; 0 before the first."""
        if run.last_epoch is None:
            steps = [metric.step for metric in self.history(run, "rate")]
            run.last_epoch = max(steps, default=0)
        return run.last_epoch

    def history(self, run: KnownRun, name: str) -> list[Metric]:
        """Every logged value of a metric."""
        return list(self.client.get_metric_history(run.run_id, name))

    def log_epochs(
        self, run: KnownRun, epochs: Sequence[tuple[int, float, dict[str, float]]]
    ) -> None:
        """Metrics of epochs, whole epochs to a request, so that the last one says what is there.

        Their time is the run's start plus `seconds`, never now: MLflow ignores a value that comes
        again with the same time, as it does where an answer was lost.
        """
        width = max((len(metrics) for _, _, metrics in epochs), default=1)
        for part in _parts(list(epochs), max(1, BATCH // width)):
            metrics = [
                Metric(name, value, run.start + int(seconds * 1000), epoch)
                for epoch, seconds, values in part
                for name, value in values.items()
            ]
            self.client.log_batch(run.run_id, metrics=metrics)
            run.last_epoch = max(run.last_epoch or 0, *(epoch for epoch, _, _ in part))

    def log_dataset(self, run: KnownRun, name: str, fingerprint: str, images: str) -> None:
        """The data set of a run, by name and fingerprint; MLflow shows its first 36 characters."""
        if run.has_dataset:
            return
        source = f'{{"name": "{name}", "fingerprint": "{fingerprint}"}}'
        dataset = Dataset(
            name, fingerprint[:DIGEST_LENGTH], "prepared", source,
            profile=f'{{"fingerprint": "{fingerprint}", "images": "{images}"}}',
        )  # fmt: skip
        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run.run_id, datasets=[DatasetInput(dataset, [context])])
        run.has_dataset = True

    def log_files(self, run: KnownRun, files: Mapping[str, Path]) -> None:
        """Files by their name in the run; one that is there in the same size stays."""
        there = {file.path: file.file_size for file in self.client.list_artifacts(run.run_id)}
        for name, path in files.items():
            if there.get(name) != path.stat().st_size:
                assert path.name == name
                self.client.log_artifact(run.run_id, str(path))

    def _open_experiment(self, study: str, artifacts: Path | None) -> str:
        found = self.client.get_experiment_by_name(study)
        if found is None:
            location = artifacts.as_uri() if artifacts else None
            return str(self.client.create_experiment(study, artifact_location=location))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _find_runs(self) -> list[KnownRun]:
        runs: list[KnownRun] = []
        token = None
        while True:
            page = self.client.search_runs([self.experiment], max_results=BATCH, page_token=token)
            runs += [_known(run) for run in page]
            token = page.token
            if not token:
                return runs


def _known(run: Run) -> KnownRun:
    return KnownRun(
        run_id=run.info.run_id,
        start=run.info.start_time,
        status=run.info.status,
        tags=dict(run.data.tags),
        params=set(run.data.params),
        has_dataset=bool(run.inputs and run.inputs.dataset_inputs),
    )


def _parts(values: list[Any], size: int) -> list[list[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
