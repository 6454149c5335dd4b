"""`kill -9` of the driver, again and again, each time followed by the same command."""

import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from study.ledger import Ledger, LedgerFacts
from study.record import load_records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(__file__).with_name("killed_driver.py")
SEED = 20
Key = tuple[str, str, int]


def kills() -> list[tuple[str, str, int]]:
    """Where the driver is killed; every phase is hit, and the gap after a checkpoint twice."""
    draw = random.Random(SEED)
    return [
        ("search", "report", draw.randint(2, 6)),
        ("search", "issue", draw.randint(2, 4)),
        ("search", "close", draw.randint(1, 3)),
        ("confirm", "report", draw.randint(2, 4)),
        ("test", "report", draw.randint(1, 2)),
    ]


def drive(folder: Path, phase: str, event: str, count: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), phase, event, str(count)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def facts_in(folder: Path) -> LedgerFacts:
    return Ledger.read(f"journal:{folder / 'studies/digits/ledger.journal'}", "digits")


def trials_in(folder: Path) -> dict[Key, object]:
    return {(t.phase, str(t.stratum), t.number): t for t in facts_in(folder).trials}


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose driver was killed at each of these moments, and then let go."""
    folder = tmp_path_factory.mktemp("killed")
    before: dict[Key, object] = {}
    for phase, event, count in kills():
        done = drive(folder, phase, event, count)
        assert done.returncode == -signal.SIGKILL, (phase, event, done.stdout, done.stderr)
        now = trials_in(folder)
        for key, trial in before.items():
            assert_unchanged(trial, now[key])
        before = now
    done = drive(folder, "search", "never", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    for key, trial in before.items():
        assert_unchanged(trial, trials_in(folder)[key])
    return folder


def assert_unchanged(before: object, after: object) -> None:
    """A finished trial never changes; a running one keeps its config, rungs and decisions."""
    if before.state != "RUNNING":
        assert after == before
        return
    assert not before.config or after.config == before.config
    assert before.rungs.items() <= after.rungs.items()
    assert before.decisions.items() <= after.decisions.items()


def test_the_study_ends_with_exactly_its_budget(survivor: Path) -> None:
    counts = Counter((t.phase, str(t.stratum)) for t in facts_in(survivor).trials)
    strata = [f"digits/{prior}/8" for prior in ("gaussian", "flow", "diffusion")]
    assert counts == {("search", s): 4 for s in strata} | {("confirm", s): 2 for s in strata}
    assert {t.state for t in facts_in(survivor).trials} <= {"COMPLETE", "PRUNED"}


def test_every_confirm_seed_is_tested(survivor: Path) -> None:
    assert [set(facts.tests) for facts in facts_in(survivor).strata.values()] == [{0, 1}] * 3


def test_no_rung_that_a_trial_passed_is_missing(survivor: Path) -> None:
    for record in load_records(survivor / "studies", "digits"):
        measured = {m.epoch: m.val_fid for m in record.measurements if m.val_fid is not None}
        assert record.rungs == measured
        wanted = [*record.config["rungs"], record.config["max_epochs"]]
        assert list(record.rungs) == wanted[: len(record.rungs)]
        if record.state == "COMPLETE":
            assert list(record.rungs) == wanted


def test_mlflow_has_one_run_per_trial_and_every_epoch_once(survivor: Path) -> None:
    client = MlflowClient(f"sqlite:///{survivor / 'studies/mlflow.db'}")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id], max_results=1000)
    runs = [run for run in every if "trial" in run.data.tags]
    assert len(every) == len(runs) + 1
    assert all(run.info.status != "RUNNING" for run in every)
    records = load_records(survivor / "studies", "digits")
    states = {f"{r.phase}/{r.stratum}/{r.number}": r.state for r in records}
    assert {run.data.tags["trial"]: run.data.tags["state"] for run in runs} == states
    assert len(runs) == len(records)
    lengths = {f"{r.phase}/{r.stratum}/{r.number}": len(r.measurements) for r in records}
    for run in runs:
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "elbo")]
        assert steps == list(range(1, lengths[run.data.tags["trial"]] + 1))


def test_nothing_of_a_killed_driver_is_left_running(survivor: Path) -> None:
    import psutil

    left = [p.cmdline() for p in psutil.process_iter() if str(survivor) in " ".join(_command(p))]
    assert left == []


def test_confirm_adds_seeds_that_are_tested_once(survivor: Path, tmp_path: Path) -> None:
    shutil.copytree(survivor / "studies", tmp_path / "studies")
    before = trials_in(tmp_path)
    command = [sys.executable, "-m", "study", "confirm", "digits", "--seeds", "+1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    after = trials_in(tmp_path)
    assert len(after) == len(before) + 3
    assert all(after[key] == before[key] for key in before)
    assert [set(facts.tests) for facts in facts_in(tmp_path).strata.values()] == [{0, 1, 2}] * 3


def _command(process: object) -> list[str]:
    import psutil

    try:
        return process.cmdline()
    except psutil.Error:
        return []
