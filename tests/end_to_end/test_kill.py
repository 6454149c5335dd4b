"""`kill -9` of driver, worker and Ray node, each time followed by the same command.

Chaos, which is asked for by `-m chaos`, is the longer version at random moments.
"""

import random
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.end_to_end.survival import (
    Survivor,
    assert_every_rung,
    assert_exactly_the_budget,
    assert_nothing_is_left,
    assert_one_run_per_trial,
    left_by,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = [sys.executable, str(Path(__file__).with_name("killed_driver.py"))]
SEED = 20


def lives() -> list[list[str]]:
    """What is killed in each life of the driver, itself at last.

    Every phase is hit, and the gap between a checkpoint and its report twice.
    """
    draw = random.Random(SEED)

    def moment(victim: str, event: str, low: int, high: int) -> str:
        return f"{victim}/{event}/{draw.randint(low, high)}"

    return [
        [moment("worker", "search/report", 2, 3), moment("driver", "search/report", 4, 6)],
        [moment("raylet", "search/report", 1, 2), moment("driver", "search/issue", 5, 6)],
        [moment("driver", "search/close", 1, 3)],
        [moment("driver", "confirm/report", 2, 4)],
        [moment("worker", "test/issue", 1, 2), moment("driver", "test/report", 2, 3)],
    ]


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    """A study whose driver was killed at each of these moments, and then let go."""
    survivor = Survivor(tmp_path_factory.mktemp("killed"))
    for moments in lives():
        done = survivor.drive([*SCRIPT, *moments])
        assert done.returncode == -signal.SIGKILL, (moments, done.stdout, done.stderr)
        assert done.stdout.count("family") == len(moments)
        survivor.look()
        survivor.family.update(left_by(done.stdout))
    done = survivor.drive(SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    survivor.look()
    return survivor


def test_the_study_ends_with_exactly_its_budget(survivor: Survivor) -> None:
    assert_exactly_the_budget(survivor)


def test_no_rung_that_a_trial_passed_is_missing(survivor: Survivor) -> None:
    assert_every_rung(survivor)


def test_mlflow_has_one_run_per_trial_and_every_epoch_once(survivor: Survivor) -> None:
    assert_one_run_per_trial(survivor)


def test_nothing_of_a_killed_driver_is_left_running(survivor: Survivor) -> None:
    assert_nothing_is_left(survivor.family)


def test_confirm_adds_seeds_that_are_tested_once(survivor: Survivor, tmp_path: Path) -> None:
    shutil.copytree(survivor.folder / "studies", tmp_path / "studies")
    extended = Survivor(tmp_path)
    before = extended.trials()
    done = extended.drive([sys.executable, "-m", "study", "confirm", "digits", "--seeds", "+1"])
    assert done.returncode == 0, done.stdout + done.stderr
    after = extended.trials()
    assert len(after) == len(before) + 3
    assert all(after[key] == before[key] for key in before)
    tested = [set(facts.tests) for facts in extended.facts().strata.values()]
    assert tested == [{0, 1, 2}] * 3
