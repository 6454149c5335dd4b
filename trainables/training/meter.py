"""What an epoch takes of the machine that it runs on."""

import resource
import sys
import time
from typing import NamedTuple

import torch

_MEGABYTE = 2**20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; getrusage differs


class Usage(NamedTuple):
    """As `Measurement` has them."""

    seconds: float
    cpu_percent: float
    memory_megabytes: float


class Meter:
    """Measures from its making on."""

    def __init__(self, device: torch.device) -> None:
        """Takes the device that is trained on."""
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> Usage:
        """What was taken since."""
        seconds = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        return Usage(seconds, 100 * cpu / max(seconds, 1e-9), self._peak_bytes() / _MEGABYTE)

    def _peak_bytes(self) -> float:
        if self._device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self._device))
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT)
