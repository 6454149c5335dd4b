"""A report of 1,000 trials of 250 epochs: how long it takes to write, and to open.

The journal, the histories and their manifests lie on disk as a study leaves them, and all of
`study report` is timed, from the start of its process to its end.

Run: pytest -s tests/benchmarks/report.py --timeout=0
"""

import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search_spaces import StudySpec, load_space
from study.driver import Driver
from study.ledger import Ledger, TrialFacts
from study.storage.layout import Layout, ledger_url, make_folders, open_layout
from tests.browser import CHROMIUM, seen
from tests.simulation import TABLE_1, Simulation
from trainables.checkpoint import commit
from trainables.config import TrialConfig

NUM_EPOCHS = 250
MOST_SECONDS_TO_WRITE = 20.0
MOST_SECONDS_TO_OPEN = 3.0


def question() -> StudySpec:
    return load_space("digits", [
        "name=large", "strata.latent_size=8,16,32", "budget.trials_per_stratum=109",
        f"budget.max_epochs={NUM_EPOCHS}", "budget.first_rung=10", "confirm.num_seeds=3",
        "search.sampler.kind=random", "search.pruner.kind=none",
    ])  # fmt: skip


def leave_study(storage: Path) -> Layout:
    """A finished study on disk: journal, and for each trial a checkpoint with its history."""
    spec = question()
    layout = open_layout(storage, spec.name)
    make_folders(layout)
    layout.save_spec(spec)
    ledger = Ledger(spec, ledger_url(layout))
    Simulation(Driver(ledger), TABLE_1, num_workers=16).run()
    for trial in ledger.facts().trials:
        leave_history(layout, trial)
    return layout


def leave_history(layout: Layout, trial: TrialFacts) -> None:
    place = ("trials", trial.phase, str(trial.stratum), str(trial.number), "1", "epoch-000250")
    folder = layout.study.joinpath(*place)
    folder.mkdir(parents=True)
    curve = [_epoch(epoch, trial.rungs.get(epoch)) for epoch in range(1, NUM_EPOCHS + 1)]
    (folder / "history.json").write_text(json.dumps(curve))
    (folder / "weights.safetensors").write_bytes(bytes(100_000))
    commit(folder, NUM_EPOCHS, TrialConfig.model_validate(trial.config))


def _epoch(epoch: int, fid: float | None) -> dict[str, float]:
    rate, distortion = 20 * (1 - math.exp(-epoch / 40)), 5 + 60 * math.exp(-epoch / 30)
    rung = {} if fid is None else {"val_fid": fid, "best_epoch": epoch}
    return {
        "epoch": epoch, "rate": rate, "distortion": distortion, "elbo": -rate - distortion,
        "bits_per_dim": 3.0, "train_rate": rate, "train_distortion": distortion,
        "kl_weight": 1.0, "seconds": 0.3, **rung,
    }  # fmt: skip


def test_a_report_of_a_thousand_trials(tmp_path: Path) -> None:
    layout = leave_study(tmp_path)
    command = [str(Path(sys.executable).with_name("study")), "report", layout.name]
    begun = time.perf_counter()
    subprocess.run([*command, "--storage", str(tmp_path)], check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    num_trials = len(Ledger.read(ledger_url(layout), layout.name).trials)
    size = layout.report.stat().st_size / 1e6
    print(f"\n{num_trials} trials of {NUM_EPOCHS} epochs: written in {seconds:.1f} s,"
          f" {size:.1f} MB")  # fmt: skip
    assert num_trials >= 1000
    assert seconds < MOST_SECONDS_TO_WRITE
    if CHROMIUM is None:
        pytest.skip("chromium is not installed, so the page was not opened")
    script = "return {load: performance.getEntriesByType('navigation')[0].loadEventStart}"
    loads = [
        seen(layout.report, script, tmp_path / f"profile-{n}")["load"] / 1000 for n in range(5)
    ]
    print(f"load event after {statistics.median(loads):.2f} s (median of {loads})")
    assert statistics.median(loads) < MOST_SECONDS_TO_OPEN
