"""When a study ends early: Ctrl-C, SIGTERM, `study stop`, a time limit."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


class Stop:
    """Asked at every turn of the driver: is it time to end?

    Attributes:
        reason: why, once it is.
        is_failure: whether something broke, where others asked.
    """

    def __init__(self, request: Path, time_limit: float | None) -> None:
        """Takes the file whose existence asks to stop, and the seconds allowed."""
        self._request = request
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self.reason = ""
        self.is_failure = False

    def fail(self, reason: str) -> None:
        """Ends the study early since it cannot go on."""
        self.reason, self.is_failure = reason, True

    def __call__(self) -> bool:
        """Whether to stop now."""
        if self._request.exists():
            self.reason = self.reason or "`study stop` asked for it"
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.reason = self.reason or "the time limit is reached"
        return bool(self.reason)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, Ctrl-C and SIGTERM set the reason; a second one ends the process at once."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def remember(number: int, frame: FrameType | None) -> None:
            self.reason = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            for known, handler in before.items():
                signal.signal(known, handler)
            print("stopping when every trial has returned; again ends at once", file=sys.stderr)

        for number in before:
            signal.signal(number, remember)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
