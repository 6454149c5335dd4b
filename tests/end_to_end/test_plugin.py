"""A prior from a user's own file, all the way: workers load it, and its export runs again."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from study.record import load_records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
README = Path(__file__).parents[2] / "README.md"
SPACE = """
name: mine
plugins: [laplace.py]
strata: {dataset: digits, prior: laplace, latent_size: 4}
network: {num_channels: 8}
priors: {laplace: {scale: 0.7}}
variants: {narrow: {prior.scale: 0.3}, wide: {prior.scale: 1.5}}
budget: {trials_per_stratum: 0, max_epochs: 2}
confirm: {num_seeds: 2}
fid: {num_samples: 200, classifier_epochs: 3}
"""


def test_a_study_of_a_users_own_prior_ends_with_its_effects(tmp_path: Path) -> None:
    example = re.search(r"```python\n(# laplace\.py\n.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "laplace.py").write_text(example[1])
    (tmp_path / "mine.yaml").write_text(SPACE)
    command = [sys.executable, "-m", "study", "run", "mine.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"laplace\s+narrow\s.*base", done.stdout)
    assert re.search(r"laplace\s+wide\s.*…", done.stdout)
    (tmp_path / "laplace.py").unlink()  # the study has its own copy
    records = load_records(tmp_path / "studies", "mine")
    assert [record.state for record in records] == ["COMPLETE"] * 4
    assert {record.config["prior"]["scale"] for record in records} == {0.3, 1.5}
    assert "wide" in (tmp_path / "studies/mine/report/report.html").read_text()
