"""`kill -9` at random moments, many times over: `pytest -m chaos -s`.

Driver, worker and Ray node are hit in turn as chance has it; after each death of the driver the
same command is started again. A study that ends before all kills are spent makes room for another.

    CHAOS_SEED    of all draws; from the clock unless said, and printed
    CHAOS_KILLS   how many, 30 unless said
"""

import itertools
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.killed_driver import VICTIMS, family_of, quick
from tests.end_to_end.survival import Survivor, assert_nothing_is_left, assert_survived, figures

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]
OVERRIDES = quick(num_trials=5, max_epochs=16)
LIMIT = 1200.0  # seconds that an untouched study may take
# The longest that each may live, in seconds, once it is there and its turn has come; a driver
# takes half a minute to its first trial.
PEACE = {"driver": 60.0, "worker": 12.0, "raylet": 20.0}


@dataclass
class Chaos:
    """Kills until the wanted number is reached."""

    draw: random.Random
    wanted: int
    kills: Counter[str] = field(default_factory=Counter)
    family: set[psutil.Process] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        return self.kills.total() >= self.wanted

    def torment(self, survivor: Survivor) -> None:
        """Starts the study again and again until it comes to its end."""
        code = None
        while code != 0:
            num_raylets = self.kills["raylet"]
            with started(survivor) as process:
                code = self._harass(process)
            survivor.look()
            had_to_end = code == -signal.SIGKILL or self.kills["raylet"] > num_raylets
            assert code == 0 or had_to_end, (code, output_of(survivor))

    def _harass(self, process: subprocess.Popen[bytes]) -> int:
        """Kills one after the other until the driver has ended; its return code."""
        while not self.is_over:
            kind = self.draw.choices(list(PEACE), weights=[2, 4, 1])[0]
            while process.poll() is None and not VICTIMS[kind](process.pid):
                time.sleep(0.5)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=self.draw.uniform(0, PEACE[kind]))
            self._kill(kind, process.pid)
        return process.wait(timeout=LIMIT)

    def _kill(self, kind: str, driver: int) -> None:
        """Nothing where there is nobody of this kind now."""
        victims = VICTIMS[kind](driver)
        if not victims:
            return
        self.family.update(family_of(driver))
        with suppress(psutil.NoSuchProcess):
            self.draw.choice(victims).kill()
            self.kills[kind] += 1
            print(f"kill {self.kills.total()}: {kind}", flush=True)


@contextmanager
def started(survivor: Survivor) -> Iterator[subprocess.Popen[bytes]]:
    """A driver, which does not outlive a test that fails."""
    with (survivor.folder / "output").open("ab") as output:
        process = subprocess.Popen(
            survivor.command(OVERRIDES), cwd=survivor.folder, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def output_of(survivor: Survivor) -> str:
    return (survivor.folder / "output").read_text()[-4000:]


def test_a_study_survives_kills_at_random(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", time.time()))
    chaos = Chaos(random.Random(seed), int(os.environ.get("CHAOS_KILLS", "30")))
    print(f"\nCHAOS_SEED={seed} CHAOS_KILLS={chaos.wanted}", flush=True)
    for number in itertools.count():
        survivor = Survivor(tmp_path / str(number))
        survivor.folder.mkdir()
        chaos.torment(survivor)
        print(f"study {number}: {figures(survivor)}", flush=True)
        assert_survived(survivor)
        if chaos.is_over:
            break
    assert_nothing_is_left(chaos.family)
    print(f"kills: {dict(chaos.kills)}; 0 duplicates, 0 changes", flush=True)
