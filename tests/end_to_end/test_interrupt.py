"""Stopping a running study in every polite way, and a second driver that comes too early."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from study.ledger import Ledger, LedgerFacts
from trainables.error import InputError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
RUN = [
    sys.executable, "-m", "study", "run", "digits", "strata.latent_size=8",
    "strata.prior=gaussian,diffusion", "budget.max_epochs=400", "budget.first_rung=200",
    "fid.classifier_epochs=3", "fid.num_samples=200",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("interrupted")


def facts_in(folder: Path) -> LedgerFacts | None:
    try:
        return Ledger.read(f"journal:{folder / 'studies/digits/ledger.journal'}", "digits")
    except InputError:
        return None


def begun(folder: Path) -> bool:
    """Whether a worker trains: its ledger note of where it runs comes with its first result."""
    facts = facts_in(folder)
    return facts is not None and any("worker" in t.attributes for t in facts.trials)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.5)


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*RUN, *more], cwd=folder, stdout=pipe, stderr=pipe, text=True)


def study(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def assert_taken_up_again(folder: Path) -> None:
    facts = facts_in(folder)
    assert facts is not None
    assert {trial.state for trial in facts.trials} == {"RUNNING"}
    manifests = list((folder / "studies/digits/trials").rglob("manifest.json"))
    assert manifests, "what ran was not checkpointed"


def test_stop_ends_a_running_study_which_refused_a_second_driver(folder: Path) -> None:
    first = start(folder)
    wait_for(lambda: begun(folder), first)
    second = study(folder, *RUN[3:])
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr
    assert "run by" in study(folder, "status", "digits").stdout
    stopped = study(folder, "stop", "digits")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    output, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert "`study stop` asked for it; the same command goes on" in output
    assert_taken_up_again(folder)
    assert "not running" in study(folder, "stop", "digits").stdout


def test_ctrl_c_ends_a_running_study_within_seconds(folder: Path) -> None:
    facts = facts_in(folder)
    before = {t.number: t.attributes["attempt"] for t in facts.trials} if facts else {}
    process = start(folder)

    def resumed() -> bool:
        now = facts_in(folder)
        assert now is not None
        return any(t.attributes.get("attempt", 0) > before.get(t.number, 0) for t in now.trials)

    wait_for(resumed, process)
    time.sleep(15)  # until workers train
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    output, errors = process.communicate(timeout=60)
    assert time.monotonic() - asked < 45
    assert process.returncode == 0, errors
    assert "Ctrl-C" in output
    assert "the same command goes on" in output
    assert "Traceback" not in output + errors
    assert_taken_up_again(folder)


def test_a_time_limit_ends_the_study_and_says_so(folder: Path) -> None:
    process = start(folder, "--time-limit", "1")
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "the time limit is reached" in output
