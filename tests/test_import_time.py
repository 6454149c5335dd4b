"""Reading a space or `--help` is quick because nothing heavy is loaded for it."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "ray", "mlflow", "optuna", "matplotlib", "torch_fidelity", "zuko", "sklearn"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules of a fresh interpreter after it ran the code."""
    report = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    "code",
    [
        "import search_spaces",
        "from search_spaces import load_space; load_space('table1').cells()",
        "import study.cli",
        "from typer.testing import CliRunner; from study.cli import app\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0",
        # `study show` counts parameters at its end, and loads torch only there.
        "import study.preview.space",
        # Preparing a set, and the workers that decode, need no torch; a record needs no ledger.
        "from trainables.data.preparation import prepare_dataset",
        "import trainables.data.decoding",
        "from study.record import TrialRecord",
        "from study.preview.new_space import write_new_space",
        "from typer.testing import CliRunner; from study.cli import app\n"
        "assert CliRunner().invoke(app, ['list', '--help']).exit_code == 0",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()
