"""What the driver costs: results per second, a trial's start, a resume of 1,000 trials.

Every result is written to a journal on this disk, and synced, before it is answered.

Run: pytest -s tests/benchmarks/overhead.py --timeout=0
"""

import itertools
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune

from search_spaces import StudySpec, load_space
from study.cluster.tune import cluster, run_trials
from study.driver import Driver
from study.ledger import Ledger
from study.record import load_records
from study.storage.layout import ledger_url, make_folders, open_layout
from tests.simulation import TABLE_1, Simulation
from trainables.config import TrialConfig
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion, Workplace


def question(num_trials: int) -> StudySpec:
    """One with this many search trials over three strata, nothing drawn from a model."""
    return load_space("digits", [
        "name=overhead", "strata.latent_size=8", f"budget.trials_per_stratum={num_trials // 3}",
        "budget.max_epochs=64", "budget.first_rung=1", "confirm.num_seeds=1",
        "search.sampler.kind=random",
    ])  # fmt: skip


class Stopwatch(Driver):
    """A driver that counts its results and the seconds that they take."""

    results, seconds = 0, 0.0

    def absorb(self, ray_trial_id: str, result: dict[str, object]) -> bool:
        begun = time.perf_counter()
        stop = super().absorb(ray_trial_id, result)
        self.seconds += time.perf_counter() - begun
        self.results += 1
        return stop


def test_results_per_second(tmp_path: Path) -> None:
    for num_trials in (60, 300):
        ledger = Ledger(question(num_trials), f"journal:{tmp_path / str(num_trials)}")
        driver = Stopwatch(ledger)
        begun = time.perf_counter()
        Simulation(driver, TABLE_1, num_workers=16).run()
        whole = time.perf_counter() - begun
        print(f"\n{num_trials} trials: {driver.results / driver.seconds:.0f} results/s absorbed,"
              f" {driver.results / whole:.0f}/s with asking for trials")  # fmt: skip


def test_resume_of_a_thousand_trials(tmp_path: Path) -> None:
    spec = question(1002)
    layout = open_layout(tmp_path, spec.name)
    make_folders(layout)
    layout.save_spec(spec)
    Simulation(Driver(Ledger(spec, ledger_url(layout))), TABLE_1, num_workers=16).run()
    steps = {
        "opening": lambda: Ledger(spec, ledger_url(layout)),
        "facts": lambda: Ledger.read(ledger_url(layout), spec.name),
        "records": lambda: load_records(tmp_path, spec.name),
        "next": lambda: Ledger(spec, ledger_url(layout)).next("more"),
    }
    times = []
    for step in steps.values():
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    told = itertools.starmap("{} {:.2f} s".format, zip(steps, times, strict=True))
    print(f"\nresume of {spec.budget.trials_per_stratum * 3} trials: {', '.join(told)},"
          f" in all {sum(times):.2f} s")  # fmt: skip


class NoOpTrainable(tune.Trainable):
    """A trial that does nothing but return its whole curve."""

    def setup(self, config: dict[str, Any], **shared: Any) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.suggestion = Suggestion.model_validate(new_config["suggestion"])
        return True

    def step(self) -> dict[str, Any]:
        config, is_test = self.suggestion.config, self.suggestion.phase == "test"
        curve = [epoch(number, config) for number in range(1, config.max_epochs + 1)]
        test = {"test_fid": 1.0, "untrained_fid": 2.0, "protocol": {}}
        payload = {"curve": [] if is_test else curve, "test": test if is_test else None,
                   "done": True, "worker": {}}  # fmt: skip
        return {"payload": [payload], "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing."""


def epoch(number: int, config: TrialConfig) -> dict[str, Any]:
    is_evaluated = number in config.evaluated_epochs
    return Measurement(
        epoch=number, rate=1.0, distortion=2.0, elbo=-3.0, bits_per_dim=0.5, train_rate=1.0,
        train_distortion=2.0, kl_weight=1.0, seconds=0.0, val_fid=9.0 if is_evaluated else None,
        best_epoch=number if is_evaluated else None,
    ).as_dict()  # fmt: skip


class StartWatch(Driver):
    """A driver that notes when each trial has come and gone."""

    ends: list[float]

    def absorb(self, ray_trial_id: str, result: dict[str, Any]) -> bool:
        stop = super().absorb(ray_trial_id, result)
        self.ends.append(time.perf_counter())
        return stop


def test_start_of_a_trial_on_a_reused_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds that one worker spends between the ends of two trials that do nothing."""
    monkeypatch.setattr("study.cluster.tune.PriorTrainable", NoOpTrainable)
    # Workers cannot import this file, which is not a module of a package.
    ray.cloudpickle.register_pickle_by_value(sys.modules[NoOpTrainable.__module__])
    spec = question(90)
    driver = StartWatch(Ledger(spec, f"journal:{tmp_path / 'ledger'}"))
    driver.ends = []
    workplace = Workplace(study_folder=str(tmp_path), data_folder=str(tmp_path))
    with cluster("local"):
        num_slots = max(1, int(ray.cluster_resources()["CPU"]))
        run_trials(driver, workplace, {}, spec.resources, tmp_path / "ray")
    ends = driver.ends[2 * num_slots :]  # the first actors are not reused but made
    per_trial = num_slots * (ends[-1] - ends[0]) / (len(ends) - 1)
    print(f"\n{len(driver.ends)} trials that do nothing, {num_slots} at a time:"
          f" {per_trial:.3f} s each with reused actors")  # fmt: skip
    assert per_trial < 0.2
