"""Images in chunks, looked at or decoded by worker processes; a few by the calling one. No torch.

Images are read in order by the caller. The processes are loky's, which start afresh rather than as
forks, so they carry nothing of the caller and need no guard in its script.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import numpy as np
from jaxtyping import Int64
from loky import ProcessPoolExecutor

from trainables.sources import SourceImage

# So many images or bytes go to a worker at once.
CHUNK_IMAGES, CHUNK_BYTES = 500, 1 << 25
# Of fewer images the workers would not be ready before the work is done.
FEWEST_FOR_WORKERS = 5000
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Images that lie behind each other in a source.

    Attributes:
        first: number of the first in the source.
        images: the images.
        rows: where they belong; their numbers, where they belong nowhere else.
    """

    first: int
    images: list[SourceImage]
    rows: Int64[np.ndarray, " num"]


class Workers:
    """Processes that start when they are needed and end with the context."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            # After an error nobody waits for chunks that are under way.
            self._pool.shutdown(wait=True, kill_workers=error is not None)
            self._pool = None

    def results(
        self,
        work: Callable[[Chunk], Result],
        images: Iterable[SourceImage],
        rows: Int64[np.ndarray, " num"],
    ) -> Iterator[tuple[Chunk, Result]]:
        """The chunks in order with what came of them; a few are under way at a time.

        Args:
            work: what is done with each; it is pickled.
            images: in the order of their source.
            rows: where each belongs.
        """
        chunks, num = _chunks(images, rows), len(rows)
        num_workers = _num_cores()
        if num < FEWEST_FOR_WORKERS or num_workers == 1:
            yield from ((chunk, work(chunk)) for chunk in chunks)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                num_workers, initializer=_end_with, initargs=(os.getpid(),)
            )
        waiting: deque[tuple[Chunk, Future[Result]]] = deque()
        for chunk in chunks:
            waiting.append((chunk, self._pool.submit(work, chunk)))
            if len(waiting) > 2 * num_workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _chunks(images: Iterable[SourceImage], rows: Int64[np.ndarray, " num"]) -> Iterator[Chunk]:
    first, waiting, size = 0, list[SourceImage](), 0
    for image in images:
        waiting.append(image)
        size += len(image.data) if isinstance(image.data, bytes) else 1 << 16
        if len(waiting) == CHUNK_IMAGES or size > CHUNK_BYTES:
            yield Chunk(first, waiting, rows[first : first + len(waiting)])
            first, waiting, size = first + len(waiting), [], 0
    if waiting:
        yield Chunk(first, waiting, rows[first : first + len(waiting)])


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent: loky's wait forever where that one was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _num_cores() -> int:
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
