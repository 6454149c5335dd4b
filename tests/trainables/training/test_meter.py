"""What an epoch took of the machine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trainables.training.meter import Meter

CPU = torch.device("cpu")


def test_two_busy_cores_are_200_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, cpu = iter([10.0, 14.0]), iter([3.0, 11.0])
    clocks = SimpleNamespace(perf_counter=wall.__next__, process_time=cpu.__next__)
    monkeypatch.setattr("trainables.training.meter.time", clocks)
    used = Meter(CPU).read()
    assert (used.seconds, used.cpu_percent) == (4.0, 200.0)


def test_memory_is_the_process_own_in_megabytes() -> None:
    held = np.ones(2**25)  # 256 megabytes
    assert Meter(CPU).read().memory_megabytes > held.nbytes / 2**20


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_of_a_gpu_is_what_was_allocated_since() -> None:
    device = torch.device("cuda")
    meter = Meter(device)
    held = torch.ones(2**25, device=device)
    assert meter.read().memory_megabytes >= held.nbytes / 2**20
