"""Worker processes do what the calling one would do, and do not outlive it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

import trainables.data.workers
from tests.trainables.pictures import Pictures
from trainables.data.survey import Survey, survey_images
from trainables.data.workers import Chunk, Workers
from trainables.sources import Reading, Source, SourceImage

SCRIPT = """
import sys, time
import numpy as np
import trainables.data.workers
from trainables.sources import SourceImage
from trainables.data.workers import Workers
trainables.data.workers.FEWEST_FOR_WORKERS = 1
trainables.data.workers._num_cores = lambda: 2
def work(chunk):
    return 0
with Workers() as workers:
    images = (SourceImage(b"", -1, "x") for _ in range(3000))
    for _ in workers.results(work, images, np.arange(3000)):
        print("begun", flush=True)
        time.sleep(60)
"""


def images(num: int) -> Iterator[SourceImage]:
    data = [Pictures.png(seed, (8, 8 + seed)) for seed in range(4)]
    for number in range(num):
        broken = number % 700 == 3
        yield SourceImage(b"broken" if broken else data[number % 4], -1, f"image {number}")


class Listed(Source):
    """A source of the images above."""

    identity = "listed"

    def __init__(self, num: int) -> None:
        self.num = num

    def reading(self) -> Reading:
        return Reading(["train"] * self.num)

    def images(self) -> Iterator[SourceImage]:
        return images(self.num)


def surveyed(num: int) -> Survey:
    with Workers() as workers:
        return survey_images(Listed(num), num, "white", (0, 3, 700), workers=workers)


def test_workers_see_what_the_calling_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = surveyed(2100)
    monkeypatch.setattr(trainables.data.workers, "FEWEST_FOR_WORKERS", 1)
    monkeypatch.setattr(trainables.data.workers, "_num_cores", lambda: 2)
    assert surveyed(2100) == alone
    assert list(alone.broken) == [3, 703, 1403]
    assert list(alone.kept) == [0, 700]
    assert alone.first_size == (8, 8)
    assert alone.num == 2100


def test_chunks_come_in_order_with_their_rows() -> None:
    rows = np.random.default_rng(0).permutation(1203)
    seen = []
    with Workers() as workers:
        for chunk, result in workers.results(_first, images(1203), rows):
            assert result == chunk.first == len(seen)
            seen += chunk.rows.tolist()
    assert seen == rows.tolist()


def _first(chunk: Chunk) -> int:
    return chunk.first


def test_workers_end_soon_after_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "begun\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [child for child in children if child.is_running()] == []
