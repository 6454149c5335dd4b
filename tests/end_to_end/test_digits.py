"""The main job, once, as a user starts it; every test here looks at what it left behind."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import pytest
import yaml
from mlflow.tracking import MlflowClient

from study.ledger import Ledger, LedgerFacts
from study.record import load_records
from trainables.training.image_grid import image_grid

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
STRATA = [f"digits/{p}/{n}" for p in ("gaussian", "flow", "diffusion") for n in (8, 16)]


def study(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=800)


@dataclass(frozen=True)
class Finished:
    folder: Path
    output: str
    seconds: float

    @property
    def study(self) -> Path:
        return self.folder / "studies" / "digits"

    @property
    def facts(self) -> LedgerFacts:
        return Ledger.read(f"journal:{self.study / 'ledger.journal'}", "digits")

    def runs(self) -> list:
        """The runs of trials; the study's own lies above them."""
        client = MlflowClient(f"sqlite:///{self.folder / 'studies' / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("digits")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        return [run for run in runs if "trial" in run.data.tags]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("digits")
    started = time.monotonic()
    done = study("run", "digits", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return Finished(folder, done.stdout, time.monotonic() - started)


@pytest.fixture
def copied(digits: Finished, tmp_path: Path) -> Finished:
    """A copy to change, so that the tests stay independent."""
    shutil.copytree(digits.folder / "studies", tmp_path / "studies")
    return Finished(tmp_path, "", 0)


def test_the_main_job_ends_within_ten_minutes(digits: Finished) -> None:
    assert digits.seconds < 600


def test_every_stratum_has_its_budget_and_the_ledger_is_closed(digits: Finished) -> None:
    trials = digits.facts.trials
    for stratum in STRATA:
        own = [trial for trial in trials if str(trial.stratum) == stratum]
        assert sum(trial.phase == "search" for trial in own) == 6
        assert sum(trial.phase == "confirm" for trial in own) == 3
        assert {trial.state for trial in own} <= {"COMPLETE", "PRUNED"}
    assert any(trial.state == "PRUNED" for trial in trials)


def test_every_prior_is_at_less_than_half_of_the_untrained_fid(digits: Finished) -> None:
    tests = [r.test for r in load_records(digits.folder / "studies", "digits") if r.test]
    assert len(tests) == 18
    for test in tests:
        assert test.test_fid < test.untrained_fid / 2


def test_the_terminal_shows_the_table_and_where_things_are(digits: Finished) -> None:
    for word in ("gaussian", "flow", "diffusion", "±", "report.html", "export"):
        assert word in digits.output
    assert "Traceback" not in digits.output
    assert "Warning" not in digits.output


def test_the_report_is_one_file_without_links_to_elsewhere(digits: Finished) -> None:
    html = (digits.study / "report" / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)', html) == []
    assert html.count("data:image/") >= 5


def test_the_csv_table_has_a_row_a_stratum(digits: Finished) -> None:
    with (digits.study / "report" / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6


def test_mlflow_has_one_finished_run_per_trial(digits: Finished) -> None:
    runs, trials = digits.runs(), digits.facts.trials
    assert len(runs) == len(trials) == 54
    keys = {f"{t.phase}/{t.stratum}/{t.number}": t.state for t in trials}
    assert {run.data.tags["trial"]: run.data.tags["state"] for run in runs} == keys
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    tested = [run for run in runs if "test_fid" in run.data.metrics]
    assert len(tested) == 18


def test_mlflow_has_params_curves_and_artifacts(digits: Finished) -> None:
    client = MlflowClient(f"sqlite:///{digits.folder / 'studies' / 'mlflow.db'}")
    run = next(r for r in digits.runs() if r.data.tags["phase"] == "confirm")
    assert run.data.params["prior.kind"] == run.data.tags["prior"]
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "elbo")]
    assert steps == list(range(1, 31))
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"config.json", "samples.png", "best.safetensors"} <= names


def test_workers_ran_in_the_environment_of_the_driver(digits: Finished) -> None:
    workers = {trial.attributes["worker"]["executable"] for trial in digits.facts.trials}
    assert workers == {sys.executable}


def test_a_finished_study_answers_at_once_and_changes_nothing(copied: Finished) -> None:
    journal = (copied.study / "ledger.journal").read_bytes()
    done = study("run", "digits", cwd=copied.folder)
    assert done.returncode == 0
    assert "±" in done.stdout
    assert (copied.study / "ledger.journal").read_bytes() == journal


def test_a_changed_space_is_refused_with_the_field_named(copied: Finished) -> None:
    done = study("run", "digits", "budget.max_epochs=50", cwd=copied.folder)
    assert done.returncode == 2
    assert "budget.max_epochs" in done.stderr
    assert "--name" in done.stderr


def test_status_and_report_only_read(copied: Finished) -> None:
    journal = (copied.study / "ledger.journal").read_bytes()
    status = study("status", "digits", cwd=copied.folder)
    assert "not running" in status.stdout
    assert "72 of 72" in status.stdout
    assert study("report", "digits", cwd=copied.folder).returncode == 0
    assert (copied.study / "ledger.journal").read_bytes() == journal


def test_a_table_repeats_every_digit_on_another_copy_of_the_program(
    copied: Finished, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    done = study("export", "digits", "--table", "--to", str(table), cwd=copied.folder)
    assert done.returncode == 0, done.stderr
    what = yaml.safe_load((table / "table.yaml").read_text())
    assert len(what["rows"]) == 6
    rows = [row for row in what["rows"] if row.endswith("/8.yaml")][:2]
    (table / "table.yaml").write_text(yaml.safe_dump({**what, "rows": rows}))
    for package in ("study", "search_spaces", "trainables"):
        shutil.copytree(ROOT / package, tmp_path / "clone" / package)
    command = [sys.executable, "-m", "study", "reproduce", str(table)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "clone")}
    again = subprocess.run(
        command, cwd=tmp_path / "clone", env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("every number of every seed is equal to the last digit") == 2
    assert "2 of 2 rows reproduced" in again.stdout


def test_an_altered_promise_is_not_reproduced(copied: Finished) -> None:
    file = copied.study / "export" / "digits" / "gaussian" / "8.yaml"
    values = yaml.safe_load(file.read_text())
    values["test_fid"][0] += 1e-9
    file.write_text(yaml.safe_dump(values))
    done = study("reproduce", str(file), cwd=copied.folder)
    assert done.returncode == 1
    assert "not reproduced" in done.stdout
    assert f"seed {values['seeds'][0]} differs in test_fid" in done.stdout


def test_fresh_seeds_are_held_to_the_interval_and_another_environment_is_named(
    copied: Finished,
) -> None:
    file = copied.study / "export" / "digits" / "gaussian" / "8.yaml"
    values = yaml.safe_load(file.read_text())
    values["test_fid"] = [fid + 1000 for fid in values["test_fid"]]
    values["environment"]["cpu_model"] = "another one"
    file.write_text(yaml.safe_dump(values))
    done = study("reproduce", str(file), "--seeds", "1", cwd=copied.folder)
    assert done.returncode == 1
    assert "not reproduced" in done.stdout
    assert "outside the 95 % prediction interval" in done.stdout
    assert "cpu_model: another one against" in done.stdout


def test_sample_draws_a_grid(copied: Finished) -> None:
    file = copied.study / "export" / "digits" / "diffusion" / "16.yaml"
    done = study("sample", str(file), "--out", "grid.png", cwd=copied.folder)
    assert done.returncode == 0, done.stderr
    assert (copied.folder / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_the_confirmed_models_are_registered_and_draw_the_logged_grids(digits: Finished) -> None:
    client = MlflowClient(f"sqlite:///{digits.folder / 'studies' / 'mlflow.db'}")
    names = {model.name for model in client.search_registered_models()}
    assert names == {stratum.replace("/", "-") for stratum in STRATA}
    for stratum in STRATA:
        version = client.get_model_version_by_alias(stratum.replace("/", "-"), "best")
        assert version.tags["study"] == "digits"
        model = mlflow.pyfunc.load_model(version.source)
        images = model.predict({"num_samples": [64], "seed": [0]})
        logged = digits.study / "export" / f"{stratum}.png"
        assert image_grid(images.transpose(0, 3, 1, 2), 256) == logged.read_bytes()


def test_the_ui_serves_the_study_on_this_machine_only(digits: Finished) -> None:
    port = "51973"
    command = [sys.executable, "-m", "study", "ui", "--port", port]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=digits.folder, stdout=nowhere, stderr=nowhere) as server:
        try:
            assert _answers(f"http://127.0.0.1:{port}/health")
        finally:
            server.send_signal(signal.SIGINT)


def _answers(url: str) -> bool:
    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.5)
    return False
