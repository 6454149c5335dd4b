"""One driver per study, and no lock outlives its process."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from study.storage.lock import hold, holder
from trainables.error import InputError

HOLD = """
import sys, time
from pathlib import Path
from study.storage.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "digits"
    folder.mkdir()
    return folder / "driver.lock"


@contextmanager
def another_process_holding(lock: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_holder_is_refused_and_told_who_holds_it(lock: Path) -> None:
    with another_process_holding(lock) as process:
        with pytest.raises(InputError) as refused, hold(lock):
            pass
        sentence = str(refused.value)
        assert "digits" in sentence
        assert socket.gethostname() in sentence
        assert str(process.pid) in sentence
        assert " s ago)" in sentence
        assert "\n" not in sentence


def test_a_second_holder_in_the_same_process_is_refused(lock: Path) -> None:
    with hold(lock), pytest.raises(InputError, match=f"process {os.getpid()}"), hold(lock):
        pass


def test_being_refused_leaves_the_holder_named(lock: Path) -> None:
    with hold(lock):
        for _ in range(2):
            with pytest.raises(InputError), hold(lock):
                pass
        now = holder(lock)
        assert now is not None
        assert now.process == os.getpid()


def test_the_lock_is_free_the_moment_its_holder_is_killed(lock: Path) -> None:
    with another_process_holding(lock) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert holder(lock) is None
        with hold(lock):
            now = holder(lock)
            assert now is not None
            assert now.process == os.getpid()


def test_the_lock_is_free_after_its_block(lock: Path) -> None:
    for _ in range(2):
        with hold(lock):
            assert holder(lock) is not None
        assert holder(lock) is None


def test_the_lock_is_free_after_an_error(lock: Path) -> None:
    with pytest.raises(RuntimeError), hold(lock):
        raise RuntimeError
    assert holder(lock) is None


def test_asking_who_holds_it_writes_nothing(lock: Path) -> None:
    assert holder(lock) is None
    assert list(lock.parent.iterdir()) == []
    with hold(lock):
        before = lock.read_bytes(), lock.stat().st_mtime_ns
        assert holder(lock) is not None
        assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before
    before = lock.read_bytes(), lock.stat().st_mtime_ns
    assert holder(lock) is None
    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before


def test_somebody_who_only_looks_keeps_nobody_out(lock: Path) -> None:
    lock.touch()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            holder(lock)

    reader, num_held = threading.Thread(target=look), 0
    reader.start()
    try:
        for _ in range(200):
            with hold(lock):
                num_held += 1
    finally:
        done.set()
        reader.join()
    assert num_held == 200
