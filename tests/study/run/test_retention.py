"""Of a trial that ended one checkpoint stays, whoever was killed in between."""

from pathlib import Path

import pytest

from study.ledger import Ledger
from study.run.retention import Retention
from tests.study.walk import Walk, small
from trainables.checkpoint import commit, is_fenced
from trainables.suggestion import Suggestion


@pytest.fixture
def walk() -> Walk:
    return Walk(small(), "memory:")


def leave_checkpoints(folder: Path, suggestion: Suggestion) -> Path:
    trial = folder / suggestion.trial_path
    for attempt, epoch in ((1, 1), (1, 2), (2, 4)):
        checkpoint = trial / str(attempt) / f"epoch-{epoch:06d}"
        checkpoint.mkdir(parents=True)
        commit(checkpoint, epoch, suggestion.config)
    return trial


def kept(trial: Path) -> list[str]:
    return sorted(path.name for path in trial.glob("*/epoch-*"))


@pytest.mark.parametrize("state", ["COMPLETE", "PRUNED", "FAIL", "LOST"])
def test_an_end_leaves_the_newest_and_a_loss_leaves_all(
    state: str, walk: Walk, tmp_path: Path
) -> None:
    name = walk.issue()
    assert name is not None
    suggestion = walk.issued[-1]
    trial = leave_checkpoints(tmp_path, suggestion)
    for epoch in suggestion.config.evaluated_epochs:
        walk.ledger.report(name, epoch, 9.0)
    ended = walk.ledger.close(name, state)
    Retention(tmp_path).ended(suggestion, ended, None)
    whole = ["epoch-000001", "epoch-000002", "epoch-000004"]
    assert kept(trial) == (whole if state == "LOST" else ["epoch-000004"])
    assert is_fenced(trial / "2") == (state != "LOST")


def test_what_a_killed_driver_did_not_seal_is_sealed_by_the_next(
    walk: Walk, tmp_path: Path
) -> None:
    name = walk.issue()
    assert name is not None
    ended = leave_checkpoints(tmp_path, walk.issued[-1])
    walk.close(name, "FAIL")
    walk.issue()
    running = leave_checkpoints(tmp_path, walk.issued[-1])
    ledger: Ledger = walk.ledger
    Retention(tmp_path).make_up(ledger.facts().trials)
    assert (len(kept(ended)), len(kept(running))) == (1, 3)


def test_a_trial_without_a_folder_is_no_obstacle(walk: Walk, tmp_path: Path) -> None:
    Retention(tmp_path).make_up(walk.run().trials)
    assert list(tmp_path.iterdir()) == []
