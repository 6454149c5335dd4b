"""`kill -9` at random moments, many times over: `pytest -m chaos -s`.

Driver, worker, Ray node and MLflow server are hit in turn as chance has it; after each death of
the driver the same command is started again, and a server comes back after some seconds. A study
that ends before all kills are spent makes room for another.

    CHAOS_SEED    of all draws; from the clock unless said, and printed
    CHAOS_KILLS   how many, 30 unless said
"""

import itertools
import os
import random
import signal
import subprocess
import sys
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
from tests.mlflow_server import MlflowServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]
OVERRIDES = quick(num_trials=5, max_epochs=16)
LIMIT = 1200.0  # seconds that an untouched study may take
# The longest that each may live, in seconds, once it is there and its turn has come; a driver
# takes half a minute to its first trial.
PEACE = {"driver": 60.0, "worker": 12.0, "raylet": 20.0, "server": 20.0}
WEIGHTS = [4, 8, 2, 3]


@dataclass
class Chaos:
    """Kills until the wanted number is reached."""

    draw: random.Random
    wanted: int
    server: MlflowServer
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
            with started(survivor, self.server.url) as process:
                code = self._harass(process)
            survivor.look()
            had_to_end = code == -signal.SIGKILL or self.kills["raylet"] > num_raylets
            assert code == 0 or had_to_end, (code, output_of(survivor))

    def _harass(self, process: subprocess.Popen[bytes]) -> int:
        """Kills one after the other until the driver has ended; its return code."""
        while not self.is_over:
            kind = self.draw.choices(list(PEACE), weights=WEIGHTS)[0]
            while process.poll() is None and kind in VICTIMS and not VICTIMS[kind](process.pid):
                time.sleep(0.5)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=self.draw.uniform(0, PEACE[kind]))
            self._kill(kind, process.pid)
        return process.wait(timeout=LIMIT)

    def _kill(self, kind: str, driver: int) -> None:
        """Nothing where there is nobody of this kind now."""
        if kind == "server":
            self.server.kill()
            self._count(kind)
            time.sleep(self.draw.uniform(0, 10))
            return self.server.start()
        victims = VICTIMS[kind](driver)
        if not victims:
            return
        self.family.update(family_of(driver))
        with suppress(psutil.NoSuchProcess):
            self.draw.choice(victims).kill()
            self._count(kind)

    def _count(self, kind: str) -> None:
        self.kills[kind] += 1
        print(f"kill {self.kills.total()}: {kind}", flush=True)


@contextmanager
def started(survivor: Survivor, tracking_uri: str) -> Iterator[subprocess.Popen[bytes]]:
    """A driver, which does not outlive a test that fails."""
    command = [*survivor.command(OVERRIDES), "--tracking-uri", tracking_uri]
    with (survivor.folder / "output").open("ab") as output:
        process = subprocess.Popen(command, cwd=survivor.folder, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def serving(survivor: Survivor) -> Iterator[MlflowServer]:
    """A server over the store where the study's runs are looked for."""
    survivor.layout.storage.mkdir(parents=True)
    server = MlflowServer(survivor.layout.mlflow_uri, survivor.folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def output_of(survivor: Survivor) -> str:
    return (survivor.folder / "output").read_text()[-4000:]


def test_a_study_survives_kills_at_random(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", time.time()))
    wanted = int(os.environ.get("CHAOS_KILLS", "30"))
    print(f"\nCHAOS_SEED={seed} CHAOS_KILLS={wanted}", flush=True)
    draw, kills, family = random.Random(seed), Counter[str](), set[psutil.Process]()
    for number in itertools.count():
        survivor = Survivor(tmp_path / str(number))
        with serving(survivor) as server:
            chaos = Chaos(draw, wanted, server, kills, family)
            chaos.torment(survivor)
            synced = survivor.drive([sys.executable, "-m", "study", "sync", "digits"])
            assert synced.returncode == 0, synced.stderr
        print(f"study {number}: {figures(survivor)}", flush=True)
        assert_survived(survivor)
        if chaos.is_over:
            break
    assert_nothing_is_left(family)
    print(f"kills: {dict(kills)}; 0 duplicates, 0 changes", flush=True)
