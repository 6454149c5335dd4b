"""What a person who watches is told."""

import io

import pytest
from rich.console import Console

from study.driver import Driver
from study.ledger import Ledger
from study.run.progress import Progress
from tests.simulation import TABLE_1, Simulation
from tests.study.walk import Walk, small


@pytest.mark.parametrize(
    ("overrides", "num_tests"),
    [([], 4), (["confirm.num_configs=2"], 4), (["search.num_repeats=2"], 8)],
)
def test_time_is_left_as_long_as_something_trains(overrides: list[str], num_tests: int) -> None:
    told = io.StringIO()
    ledger = Ledger(small(*overrides), "memory:")
    progress = Progress(ledger.spec, ledger.facts(), Console(file=told, width=200))
    Simulation(Driver(ledger, (progress,)), TABLE_1).run()
    lines = told.getvalue().splitlines()
    planned = [f"[{number}/{len(lines)}]" for number in range(1, len(lines) + 1)]
    assert [line.split()[0] for line in lines] == planned
    tests = [line for line in lines if " TESTED " in line]
    assert len(tests) == num_tests
    assert "left" in lines[len(lines) // 2]
    assert not any("left" in line for line in tests)


def test_a_study_of_two_selections_ends_with_all_of_it_done() -> None:
    """How many configs the criteria choose is known when they have."""
    walk = Walk(small("confirm.num_configs=2", "confirm.by=fid,elbo"), "memory:")
    facts = walk.run()
    progress = Progress(walk.spec, facts, Console(file=io.StringIO(), width=200))
    num_confirmed = sum(trial.phase == "confirm" for trial in facts.trials)
    num_tests = sum(len(known.tests) for known in facts.strata.values())
    assert progress.num_done == progress.num_planned == 2 * 6 + num_confirmed + num_tests
