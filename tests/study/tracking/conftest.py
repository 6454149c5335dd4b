"""A store of MLflow's that is there at once, and one that breaks when it is told to."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tracking.mirror import Mirror
from study.tracking.store import Store

Connect = Callable[[], Mirror]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path) -> str:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def connect(uri: str, spec: StudySpec, tmp_path: Path) -> Connect:
    return lambda: Mirror(Store(uri, spec.name, tmp_path / "artifacts"), spec, tmp_path)


class BrokenClient:
    """A client whose request number `at` fails: before it is carried out, or when it has been."""

    def __init__(self, client: MlflowClient, at: int, *, is_done: bool) -> None:
        self.client, self.left, self.is_done = client, at, is_done

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def request(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.is_done:
                raise OSError(errno.ENOSPC, "No space left on device")
            answer = method(*arguments, **options)
            if self.left == 0:
                raise ConnectionError("the answer was lost")
            return answer

        return request


def runs_in(uri: str, study: str) -> list[Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def trial_runs(uri: str, study: str) -> dict[str, Run]:
    runs = [run for run in runs_in(uri, study) if "trial" in run.data.tags]
    by_trial = {run.data.tags["trial"]: run for run in runs}
    assert len(by_trial) == len(runs), "a trial has two runs"
    return by_trial


def assert_mirrored(uri: str, study: str, records: list[TrialRecord]) -> None:
    """One run a trial, every (metric, step) once, state and reason as in the ledger."""
    client, runs = MlflowClient(uri), trial_runs(uri, study)
    assert set(runs) == {f"{r.phase}/{r.stratum}/{r.number}" for r in records}
    for record in records:
        run = runs[f"{record.phase}/{record.stratum}/{record.number}"]
        assert (run.data.tags["state"], run.data.tags["reason"]) == (record.state, record.reason)
        assert run.info.status != "RUNNING"
        for name in run.data.metrics:
            steps = [metric.step for metric in client.get_metric_history(run.info.run_id, name)]
            assert len(set(steps)) == len(steps), f"{name} is there twice"
        history = client.get_metric_history(run.info.run_id, "rate")
        assert {m.step: m.value for m in history} == {m.epoch: m.rate for m in record.measurements}
        if record.test:
            assert run.data.metrics["test_fid"] == record.test.test_fid
