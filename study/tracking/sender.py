"""A thread that sends beside the driver, so that nobody waits for a server.

What is to be sent is a job under a key; a newer job of the same key takes the older one's place,
because each says everything that its trial has so far. A job that fails is done again, whole: jobs
make equal what differs, so doing one twice changes nothing.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Connection = TypeVar("Connection")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LAST_ATTEMPTS = 3


class Sender(Generic[Connection]):
    """Does jobs one after the other on a connection that may break; `put` never waits."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        tell: Callable[[str], None],
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """Starts the thread.

        Args:
            connect: opens the connection; called again after every failure.
            tell: takes a line for the user: that the server is away, that it is back.
            first_pause: seconds between the first two attempts; doubled each time, up to 30.
        """
        self._connect, self._tell, self._first_pause = connect, tell, first_pause
        self._connection: Connection | None = None
        self._waiting: dict[str, Callable[[Connection], None]] = {}
        self._turn = threading.Condition()
        self._is_closing = self._has_given_up = False
        self._failures = self._last_attempts = 0
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def put(self, key: str, job: Callable[[Connection], None]) -> None:
        """Leaves a job; it takes the place of an older one of the same key."""
        with self._turn:
            self._waiting[key] = job
            self._turn.notify()

    def close(self, limit: float) -> tuple[str, ...]:
        """Waits for what is left, at most `limit` seconds; no job is begun afterwards.

        Returns:
            Keys of the jobs that were not done.
        """
        with self._turn:
            self._is_closing = True
            self._turn.notify()
        self._thread.join(limit)
        with self._turn:
            self._has_given_up = True
            return tuple(self._waiting)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            key, job = task
            try:
                self._connection = self._connection or self._connect()
                job(self._connection)
            # Behind MLflow lie HTTP, SQL and cloud libraries, each with errors of its own; what
            # any of them says is told, and the job stays.
            except Exception as error:
                self._failed(key, error)
            else:
                self._done(key, job)

    def _next(self) -> tuple[str, Callable[[Connection], None]] | None:
        with self._turn:
            self._turn.wait_for(lambda: self._waiting or self._is_closing)
            if not self._waiting or self._has_given_up:
                return None
            return next(iter(self._waiting.items()))

    def _failed(self, key: str, error: Exception) -> None:
        with self._turn:
            self._connection = None
            self._waiting[key] = self._waiting.pop(key)  # the others first
            self._failures += 1
            self._last_attempts += self._is_closing
            self._has_given_up |= self._last_attempts >= LAST_ATTEMPTS
        if self._failures == 1:
            self._tell(f"not reached ({reason_of(error)}); the study goes on, and sends it later")
        self._pause()

    def _pause(self) -> None:
        with self._turn:
            num_failures = self._last_attempts or min(self._failures, 10)
            seconds = min(self._first_pause * 2 ** (num_failures - 1), LONGEST_PAUSE)
            was_closing = self._is_closing
            self._turn.wait_for(lambda: self._is_closing != was_closing, seconds)

    def _done(self, key: str, job: Callable[[Connection], None]) -> None:
        with self._turn:
            if self._waiting.get(key) is job:
                del self._waiting[key]
            self._last_attempts = 0
            is_back = self._failures > 0 and not self._waiting
            if is_back:
                self._failures = 0
        if is_back:
            self._tell("reached again; all that it missed is sent")


def reason_of(error: Exception) -> str:
    """What an error says in one line; of a chain of HTTP errors the first cause."""
    text = str(error).strip() or type(error).__name__
    first_cause = text.rpartition("Caused by ")[2]
    return first_cause.splitlines()[0].rstrip(")")[:300]
