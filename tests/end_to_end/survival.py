"""A small digits study that is killed and started again, and what must hold of it in the end."""

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from search_spaces import StudySpec
from study.ledger import Ledger, LedgerFacts, TrialFacts
from study.record import TrialRecord, load_records
from study.storage.layout import Layout, ledger_url, open_layout
from trainables.checkpoint import newest_checkpoint
from trainables.error import InputError

Key = tuple[str, str, int]


@dataclass
class Survivor:
    """A study below a folder, and what it was when it was last looked at.

    Attributes:
        lost_epochs: epochs that were told to MLflow and then trained again.
        family: Ray processes of drivers that were killed.
    """

    folder: Path
    known: dict[Key, TrialFacts] = field(default_factory=dict)
    lost_epochs: int = 0
    family: set[psutil.Process] = field(default_factory=set)

    @property
    def layout(self) -> Layout:
        return open_layout(self.folder / "studies", "digits")

    @property
    def spec(self) -> StudySpec:
        return self.layout.load_spec()

    def command(self, overrides: list[str]) -> list[str]:
        return [sys.executable, "-m", "study", "run", "digits", *overrides]

    def drive(self, command: list[str], timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Runs a command in the folder to its end, whatever that is."""
        return subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def facts(self) -> LedgerFacts:
        return Ledger.read(ledger_url(self.layout), "digits")

    def trials(self) -> dict[Key, TrialFacts]:
        try:
            return {(t.phase, str(t.stratum), t.number): t for t in self.facts().trials}
        except InputError:  # killed before there was a ledger
            return {}

    def records(self) -> list[TrialRecord]:
        return load_records(self.layout.storage, "digits")

    def look(self) -> None:
        """After a death: what was known before still holds, and what is known now is kept."""
        now = self.trials()
        for key, trial in self.known.items():
            assert_unchanged(trial, now[key])
        self.lost_epochs += sum(self._epochs_to_repeat(now).values())
        self.known = now

    def _epochs_to_repeat(self, trials: dict[Key, TrialFacts]) -> dict[str, int]:
        running = {"/".join(map(str, key)) for key, t in trials.items() if t.state == "RUNNING"}
        lost = {}
        for key, run in runs_of(self.layout).items():
            if key in running and "rate" in run.data.metrics:
                client = MlflowClient(self.layout.mlflow_uri)
                told = max(m.step for m in client.get_metric_history(run.info.run_id, "rate"))
                checkpoint = newest_checkpoint(self.layout.study / "trials" / key)
                lost[key] = max(0, told - (checkpoint.epoch if checkpoint else 0))
        return lost


def runs_of(layout: Layout) -> dict[str, Run]:
    """The MLflow run of each trial; none has two."""
    if not (layout.storage / "mlflow.db").is_file():
        return {}
    client = MlflowClient(layout.mlflow_uri)
    experiment = client.get_experiment_by_name(layout.name)
    if experiment is None:
        return {}
    runs = [
        run
        for run in client.search_runs([experiment.experiment_id], max_results=5000)
        if "trial" in run.data.tags
    ]
    by_trial = {run.data.tags["trial"]: run for run in runs}
    assert len(by_trial) == len(runs)
    return by_trial


def left_by(output: str) -> Iterator[psutil.Process]:
    """The Ray processes of a killed driver, by the ids that it told, as far as they live."""
    for line in output.splitlines():
        for word in line.split()[1:] if line.startswith("family ") else ():
            with suppress(psutil.NoSuchProcess):
                yield psutil.Process(int(word))


def assert_unchanged(before: TrialFacts, after: TrialFacts) -> None:
    """A finished trial never changes; a running one keeps its config, rungs and decisions."""
    if before.state != "RUNNING":
        assert after == before
        return
    assert not before.config or after.config == before.config
    assert before.rungs.items() <= after.rungs.items()
    assert before.decisions.items() <= after.decisions.items()


def assert_exactly_the_budget(survivor: Survivor) -> None:
    spec, facts = survivor.spec, survivor.facts()
    counts = Counter((t.phase, t.stratum) for t in facts.trials)
    planned = {"search": spec.budget.trials_per_stratum, "confirm": spec.confirm.num_seeds}
    assert counts == {(p, s): n for (p, n), s in itertools.product(planned.items(), spec.cells())}
    assert {t.state for t in facts.trials} <= {"COMPLETE", "PRUNED"}
    seeds = set(range(spec.confirm.num_seeds))
    assert [set(known.tests) for known in facts.strata.values()] == [seeds] * len(spec.cells())


def assert_every_rung(survivor: Survivor) -> None:
    """No rung that a trial passed is missing, in the ledger or in its history."""
    for record in survivor.records():
        measured = {m.epoch: m.val_fid for m in record.measurements if m.val_fid is not None}
        assert record.rungs == measured
        wanted = [*record.config["rungs"], record.config["max_epochs"]]
        assert list(record.rungs) == wanted[: len(record.rungs)]
        if record.state == "COMPLETE":
            assert list(record.rungs) == wanted
        assert [m.epoch for m in record.measurements] == list(range(1, record.cost.epochs + 1))


def assert_one_run_per_trial(survivor: Survivor) -> None:
    """MLflow says what the ledger says, and every (metric, step) once."""
    client = MlflowClient(survivor.layout.mlflow_uri)
    runs = runs_of(survivor.layout)
    records = {f"{r.phase}/{r.stratum}/{r.number}": r for r in survivor.records()}
    assert runs.keys() == records.keys()
    experiment = client.get_experiment_by_name(survivor.layout.name)
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id], max_results=5000)
    assert len(every) == len(runs) + 1  # the study's own
    assert all(run.info.status != "RUNNING" for run in every)
    for key, run in runs.items():
        tags, record = run.data.tags, records[key]
        assert (tags["state"], tags["reason"]) == (record.state, record.reason)
        # A trial may have ended before its run was there to be noted.
        assert record.attributes.get("mlflow_run_id", run.info.run_id) == run.info.run_id
        steps = dict(_steps(client, run))
        assert all(len(set(told)) == len(told) for told in steps.values()), (key, steps)
        assert sorted(steps["elbo"]) == list(range(1, len(record.measurements) + 1))


def _steps(client: MlflowClient, run: Run) -> Iterator[tuple[str, list[int]]]:
    for name in run.data.metrics:
        yield name, [m.step for m in client.get_metric_history(run.info.run_id, name)]


def assert_nothing_is_left(processes: Iterable[psutil.Process], seconds: float = 120) -> None:
    """Every process of a killed driver ends by itself; Ray's agents take a minute."""
    _, alive = psutil.wait_procs(list(processes), timeout=seconds)
    names = [p.name() for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not names, names


def assert_survived(survivor: Survivor) -> None:
    """All that a killed study promises of its ledger and its MLflow runs."""
    assert_exactly_the_budget(survivor)
    assert_every_rung(survivor)
    assert_one_run_per_trial(survivor)


def figures(survivor: Survivor) -> dict[str, Any]:
    """Told at the end of a long test."""
    trials = survivor.facts().trials
    attempts = sum(trial.attributes.get("attempt", 1) for trial in trials)
    return {
        "trials": len(trials),
        "issues": attempts,
        "states": dict(Counter(trial.state for trial in trials)),
        "lost_epochs": survivor.lost_epochs,
    }
