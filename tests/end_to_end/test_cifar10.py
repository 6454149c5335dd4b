"""Real CIFAR-10 on the CPU: the README's command, on fewer images."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.record import load_records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]


def test_three_priors_on_real_cifar10_end_with_a_table(real_data: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "study", "run", "table1",
        "--source", f"cifar10={real_data}/cifar10_*.parquet",
        "strata.dataset=cifar10", "strata.latent_size=40", "data.num_images=1500",
        "budget.trials_per_stratum=2", "budget.max_epochs=1", "confirm.num_seeds=1",
        "fid.features=classifier", "fid.num_samples=200", "fid.classifier_epochs=3",
    ]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - started < 900
    tested = [record for record in load_records(tmp_path / "studies", "table1") if record.test]
    assert {record.stratum.prior for record in tested} == {"gaussian", "flow", "diffusion"}
    for prior in ("gaussian", "flow", "diffusion"):
        assert prior in done.stdout
