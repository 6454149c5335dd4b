"""Trials that diverge: FAIL with a reason everywhere, and the study goes on to an honest end."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from study.ledger import Ledger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def study(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diverged")
    done = study(
        folder, "run", "digits", "strata.prior=gaussian", "strata.latent_size=8",
        "budget.trials_per_stratum=2", "budget.max_epochs=3", "optimizer.gradient_clip=null",
        "fid.classifier_epochs=3", "fid.num_samples=200",
        "domains.all.optimizer.learning_rate={kind: choice, values: [1e18]}",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gaussian" in done.stdout
    return folder


def trials(folder: Path) -> list:
    path = folder / "studies/digits/ledger.journal"
    return list(Ledger.read(f"journal:{path}", "digits").trials)


def test_a_diverged_trial_is_a_fail_with_its_reason_in_ledger_and_mlflow(diverged: Path) -> None:
    failed = trials(diverged)[:2]
    assert [trial.state for trial in failed] == ["FAIL", "FAIL"]
    assert all(trial.reason.startswith("DivergenceError: ") for trial in failed)
    client = MlflowClient(f"sqlite:///{diverged / 'studies/mlflow.db'}")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id])
    runs = {run.data.tags.get("trial"): run for run in every}
    for trial in failed:
        run = runs[f"search/{trial.stratum}/{trial.number}"]
        assert run.data.tags["reason"] == trial.reason
        assert run.info.status == "FAILED"


def test_the_report_shows_the_stratum_empty_and_the_failures(diverged: Path) -> None:
    html = (diverged / "studies/digits/report/report.html").read_text()
    assert "DivergenceError" in html


def test_retry_asks_each_failed_trial_once_more_beyond_the_budget(diverged: Path) -> None:
    done = study(diverged, "retry", "digits")
    assert "2 failed trials are asked again" in done.stdout
    assert done.returncode == 1
    after = trials(diverged)
    assert [trial.attributes.get("retry_of") for trial in after] == [None, None, 0, 1]


FULL_DISK = '''
"""The first time that a trial saves anything, the disk is full."""

import errno
import os
from typing import Literal

import trainables.trainable
from trainables.config import PriorConfigBase, register_prior
from trainables.training.trainer import Trainer


@register_prior
class Unused(PriorConfigBase):
    kind: Literal["unused"] = "unused"


saved, save = set(), Trainer.save


def save_later(self, path):
    if path.parent not in saved:
        saved.add(path.parent)
        path.mkdir(parents=True)
        (path / "half").write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return save(self, path)


Trainer.save, trainables.trainable.DISK_PAUSE = save_later, 0.5
'''


def test_a_disk_that_is_full_for_a_while_costs_no_trial(tmp_path: Path) -> None:
    plugin = tmp_path / "full_disk.py"
    plugin.write_text(FULL_DISK)
    done = study(
        tmp_path, "run", "digits", f"plugins=[{plugin}]", "strata.prior=gaussian",
        "strata.latent_size=8", "budget.trials_per_stratum=2", "budget.max_epochs=2",
        "confirm.num_seeds=1", "fid.classifier_epochs=3", "fid.num_samples=200",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(t.state, t.attributes["attempt"]) for t in trials(tmp_path)] == [("COMPLETE", 1)] * 3
    assert not list(tmp_path.rglob("half"))
