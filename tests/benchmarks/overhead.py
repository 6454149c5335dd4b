"""What the driver costs: results per second, and the resume of a study of 1,000 trials.

Every result is written to a journal on this disk, and synced, before it is answered.

Run: pytest -s tests/benchmarks/overhead.py --timeout=0
"""

import itertools
import time
from pathlib import Path

from search_spaces import StudySpec, load_space
from study.driver import Driver
from study.layout import ledger_url, make_folders, open_layout
from study.ledger import Ledger
from study.record import load_records
from study.simulation import TABLE_1, Simulation


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
