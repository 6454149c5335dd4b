"""What an epoch took of the machine."""

import time

import numpy as np
import pytest
import torch

from trainables.usage import Meter

CPU = torch.device("cpu")


def test_waiting_takes_time_and_no_processor() -> None:
    meter = Meter(CPU)
    time.sleep(0.2)
    used = meter.read()
    assert used.seconds >= 0.2
    assert used.cpu_percent < 50


def test_memory_is_the_process_own_in_megabytes() -> None:
    held = np.ones(2**25)  # 256 megabytes
    assert Meter(CPU).read().memory_megabytes > held.nbytes / 2**20


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_of_a_gpu_is_what_was_allocated_since() -> None:
    device = torch.device("cuda")
    meter = Meter(device)
    held = torch.ones(2**25, device=device)
    assert meter.read().memory_megabytes >= held.nbytes / 2**20
