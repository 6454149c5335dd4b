"""Floors and doors hold, and each contract notices when it is broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("study", "search_spaces", "trainables")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = [contract["name"] for contract in SETTINGS["tool"]["importlinter"]["contracts"]]
(
    FLOORS, STUDY, INNER_FLOORS, TRAINING, DATA, PRIORS, NO_TORCH, REPORT, RAY, OPTUNA, MLFLOW,
    FIDELITY,
) = CONTRACTS  # fmt: skip

# Which contract, which file, and the line that does not belong there.
BREACHES = [
    (FLOORS, "search_spaces/domain.py", "from study.storage import layout"),
    (FLOORS, "trainables/config/trial.py", "import search_spaces"),
    (FLOORS, "trainables/vae.py", "from study.ledger import Ledger"),
    (STUDY, "study/text.py", "from study import terminal_table"),
    (STUDY, "study/ledger/ledger.py", "from study.storage import layout"),
    (STUDY, "study/driver.py", "from study import record"),
    (STUDY, "study/tables/cell.py", "from study.report import page"),
    (STUDY, "study/tables/table.py", "from study.cluster import tune"),
    (STUDY, "study/cluster/jobs.py", "def late() -> None:\n    import study.reproduce.rerun"),
    (STUDY, "study/export/row.py", "from study.report import page"),
    (STUDY, "study/tracking/run.py", "from study.distance import image_set"),
    (STUDY, "study/run/launch.py", "import study.cli"),
    (STUDY, "study/homeless.py", "import math"),
    (INNER_FLOORS, "trainables/vae.py", "from trainables import training"),
    (INNER_FLOORS, "trainables/vae.py", "from trainables.fid import FIDEvaluator"),
    (INNER_FLOORS, "trainables/fid/extractor.py", "from trainables.data import dataset"),
    (
        INNER_FLOORS,
        "trainables/config/trial.py",
        "def late() -> None:\n    import trainables.data",
    ),
    (INNER_FLOORS, "trainables/homeless.py", "import math"),
    (TRAINING, "trainables/training/loss.py", "from trainables.training import sampling"),
    (TRAINING, "trainables/training/homeless.py", "import math"),
    (DATA, "trainables/data/survey.py", "from trainables.data import plan"),
    (DATA, "trainables/data/homeless.py", "import math"),
    (PRIORS, "trainables/priors/flow.py", "from trainables.priors import gaussian"),
    (NO_TORCH, "search_spaces/space.py", "import torch"),
    (NO_TORCH, "trainables/measurement.py", "from torch import Tensor"),
    (NO_TORCH, "trainables/error.py", "import torch"),
    (REPORT, "study/report/report.py", "import ray"),
    (REPORT, "study/tables/table.py", "import mlflow"),
    (REPORT, "study/record/join.py", "import mlflow"),
    (RAY, "trainables/training/trainer.py", "from ray import tune"),
    (RAY, "study/driver.py", "import ray"),
    (OPTUNA, "study/driver.py", "import optuna"),
    (OPTUNA, "trainables/suggestion.py", "from optuna.trial import TrialState"),
    (MLFLOW, "study/report/report.py", "import mlflow"),
    (MLFLOW, "study/export/row.py", "import mlflow"),
    (MLFLOW, "trainables/trainable.py", "import mlflow.pytorch"),
    (FIDELITY, "trainables/training/evaluator.py", "import torch_fidelity"),
    (FIDELITY, "study/data/dataset.py", "from torch_fidelity.metric_fid import KEY_METRIC_FID"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages in `folder`; it reads them and imports none."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the three packages with their contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def test_all_contracts_hold(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


def test_every_contract_is_breached_below() -> None:
    assert {contract for contract, _, _ in BREACHES} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES)
def test_a_breach_is_noticed(tree: Path, contract: str, file: str, line: str) -> None:
    with (tree / file).open("a") as source:
        source.write(f"\n{line}\n")
    done = lint(tree)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout
