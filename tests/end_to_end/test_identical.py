"""With one worker a seed gives one study, whatever was killed on the way."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.survival import Key, Survivor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COMMAND = [
    sys.executable, str(Path(__file__).with_name("killed_driver.py")),
    "strata.prior=gaussian,flow", "budget.trials_per_stratum=3", "budget.max_epochs=4",
    "budget.min_peers=1", "confirm.num_seeds=1", f"resources.cpus={os.cpu_count()}",
    "search.sampler.num_startup=1", "search.sampler.kind=tpe",
]  # fmt: skip


def study(folder: Path, *moments: str) -> Survivor:
    """One that ended, its driver killed at a moment if one is given."""
    survivor = Survivor(folder)
    if moments:
        killed = survivor.drive([*COMMAND, *moments])
        assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
        survivor.look()
    done = survivor.drive(COMMAND)
    assert done.returncode == 0, done.stdout + done.stderr
    survivor.look()
    return survivor


def findings(survivor: Survivor) -> dict[Key, Any]:
    """All that a study found, but for when, where and how often it was tried."""
    return {
        (r.phase, str(r.stratum), r.number): (
            r.state, r.value, r.reason, r.rungs, r.decisions, r.config, r.test,
            [replace(measurement, seconds=0.0) for measurement in r.measurements],
        )
        for r in survivor.records()
    }  # fmt: skip


def test_an_interrupted_study_finds_the_same_as_one_that_was_not(tmp_path: Path) -> None:
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    whole = findings(study(tmp_path / "whole"))
    moment = "worker/search/report/1", "driver/search/report/5"
    interrupted = study(tmp_path / "interrupted", *moment)
    attempts = [trial.attributes["attempt"] for trial in interrupted.facts().trials]
    assert sum(attempts) == len(attempts) + 2, "two trials were to be interrupted"
    assert findings(interrupted) == whole
    assert len(whole) == 8
