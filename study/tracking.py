"""The door to MLflow: shows what the ledger knows, one run per trial, from the driver only.

A run is found again by its tag `trial` (phase, stratum, number), so a restart never makes a second
one; an epoch is logged once, since MLflow would append it again.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from study.ledger import Ended
from study.protocol import protocol_hash
from study.record import TestResult, TrialRecord
from trainables.checkpoint import newest_checkpoint
from trainables.config import TrialConfig
from trainables.error import InputError
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion

# Every metric has its epoch as its step; a rate for each of 200 dimensions stays in the history.
LEFT_OUT = ("epoch", "best_epoch", "rate_by_dimension")
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
WAITING = "SCHEDULED"
ARTIFACTS = ("config.json", "history.json", "samples.png", "best.safetensors", "manifest.json")


class Tracker:
    """Writes trials to MLflow as they happen, and makes up afterwards for what was missed."""

    def __init__(
        self,
        uri: str,
        study: str,
        study_folder: Path,
        artifacts: Path | None,
        note: Callable[[str, str, Any], None] = lambda ray_trial_id, name, value: None,
    ) -> None:
        """Opens the store and finds the runs that the study has there.

        Args:
            uri: MLflow's tracking URI.
            study: name of the experiment.
            study_folder: where the trials' checkpoints lie.
            artifacts: where artifacts go; None leaves it to the tracking server.
            note: keeps a fact with a running trial in the ledger.

        Raises:
            InputError: the store cannot be opened.
        """
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        self._folder, self._note = study_folder, note
        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = self._open_experiment(study, artifacts)
        except mlflow.exceptions.MlflowException as error:
            raise InputError(f"the MLflow store {uri!r} cannot be opened: {error}") from error
        self._runs = self._find_runs()
        self._logged: dict[str, int] = {}

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        """A run for a new trial; the same run again for one that was issued before."""
        if suggestion.phase == "test":
            return
        run_id = self._run(suggestion.key, suggestion.config)
        self._client.update_run(run_id, status="RUNNING")
        self._client.set_tag(run_id, "state", "RUNNING")
        self._note(ray_trial_id, "mlflow_run_id", run_id)

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        """The epochs that are not logged yet, in one batch."""
        self._log_epochs(self._run(suggestion.key, suggestion.config), measurements)

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        """Final state, reason and artifacts; or the result on the test split."""
        run_id = self._run(suggestion.key, suggestion.config)
        if suggestion.phase == "test":
            self._log_test(run_id, suggestion.config, test)
        elif ended.state in STATUS:
            self._finish(run_id, suggestion.trial_path, ended.state, ended.reason)

    def sync(self, records: Sequence[TrialRecord]) -> None:
        """Makes every trial's run say what its record says."""
        for record in records:
            if not record.config:
                continue
            config = TrialConfig.model_validate(record.config)
            path = Path("trials", record.phase, str(record.stratum), str(record.number))
            run_id = self._run("/".join(path.parts[1:]), config)
            self._log_epochs(run_id, record.measurements)
            run = self._client.get_run(run_id)
            if record.state in STATUS:
                if run.data.tags.get("state") != record.state:
                    self._finish(run_id, path, record.state, record.reason)
            elif run.info.status != WAITING:
                self._client.update_run(run_id, status=WAITING)
            if record.test and "test_fid" not in run.data.metrics:
                self._log_test(run_id, config, asdict(record.test))

    def _open_experiment(self, study: str, artifacts: Path | None) -> str:
        found = self._client.get_experiment_by_name(study)
        if found is not None:
            return str(found.experiment_id)
        location = artifacts.as_uri() if artifacts else None
        return str(self._client.create_experiment(study, artifact_location=location))

    def _find_runs(self) -> dict[str, str]:
        runs: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=1000, page_token=token)
            runs |= {run.data.tags.get("trial", ""): run.info.run_id for run in page}
            token = page.token
            if not token:
                return runs

    def _run(self, key: str, config: TrialConfig) -> str:
        if key not in self._runs:
            run = self._client.create_run(
                self._experiment, tags=_tags(key), run_name=_run_name(key)
            )
            self._runs[key] = run.info.run_id
            self._client.log_batch(run.info.run_id, params=_params(config))
        return self._runs[key]

    def _log_epochs(self, run_id: str, measurements: Sequence[Measurement]) -> None:
        last = self._last_epoch(run_id)
        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, measurement.epoch)
            for measurement in measurements
            if measurement.epoch > last
            for name, value in measurement.scalars().items()
            if not name.startswith(LEFT_OUT)
        ]
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(run_id, metrics=metrics[start : start + 1000])
        self._logged[run_id] = max([last, *(m.epoch for m in measurements)])

    def _last_epoch(self, run_id: str) -> int:
        if run_id not in self._logged:
            history = self._client.get_metric_history(run_id, "rate")
            self._logged[run_id] = max((metric.step for metric in history), default=0)
        return self._logged[run_id]

    def _finish(self, run_id: str, trial_path: Path, state: str, reason: str) -> None:
        checkpoint = newest_checkpoint(self._folder / trial_path)
        for name in ARTIFACTS:
            path = checkpoint.folder / name if checkpoint else None
            if path and path.is_file():
                self._client.log_artifact(run_id, str(path))
        tags = [RunTag("reason", reason), RunTag("state", state)]
        self._client.log_batch(run_id, tags=tags)
        self._client.set_terminated(run_id, status=STATUS[state])

    def _log_test(self, run_id: str, config: TrialConfig, test: Mapping[str, Any] | None) -> None:
        if test is not None:
            now, result = int(time.time() * 1000), TestResult(**test)
            metrics = [
                Metric(name, float(value), now, config.max_epochs)
                for name, value in result.metrics().items()
            ]
            tags = [RunTag("fid_protocol", protocol_hash(result.protocol))]
            self._client.log_batch(run_id, metrics=metrics, tags=tags)


def _tags(key: str) -> dict[str, str]:
    phase, dataset, prior, latent_size, number = key.split("/")
    return {
        "trial": key,
        "phase": phase,
        "stratum": f"{dataset}/{prior}/{latent_size}",
        "dataset": dataset,
        "prior": prior,
        "latent_size": latent_size,
        "trial_number": number,
    }


def _run_name(key: str) -> str:
    phase, _, prior, latent_size, number = key.split("/")
    return f"{prior}-{latent_size} {'confirm ' if phase == 'confirm' else ''}#{number}"


def _params(config: TrialConfig) -> list[Param]:
    return [Param(name, str(value)) for name, value in _flat(config.model_dump(mode="json"), "")]


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{name}.")
        elif value is not None:
            pairs.append((f"{prefix}{name}", value))
    return pairs
