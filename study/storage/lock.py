"""One driver per study: a lock that the kernel takes back the moment its process ends."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from study.text import duration_text
from trainables.error import InputError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs a study: host, process id, and since when (ISO 8601, UTC)."""

    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"host {self.host}, process {self.process}, since {self.since}{self._age}"

    @property
    def _age(self) -> str:
        """For how long; nothing where a clock jumped."""
        try:
            seconds = (datetime.now(UTC) - datetime.fromisoformat(self.since)).total_seconds()
        except ValueError:
            return ""
        return f" ({duration_text(seconds)} ago)" if seconds >= 0 else ""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the lock inside.

    Raises:
        InputError: another process holds it; its host, process and start are named.
    """
    with path.open("a+") as file:
        if not _taken(file):
            raise InputError(f"{path.parent.name} is already run by {holder(path)}")
        me = Holder(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat("T", "seconds"))
        file.truncate(0)
        file.write(json.dumps(asdict(me)))
        file.flush()
        yield


def _taken(file: TextIO) -> bool:
    """Whether the lock is ours now; somebody who only looks has it for a moment."""
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def holder(path: Path) -> Holder | None:
    """Who holds the lock now, or None; writes nothing."""
    if not path.exists():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = path.read_text()
            return Holder(**json.loads(text)) if text else Holder("unknown", 0, "just now")
    return None
