"""What a person who watches is told."""

import io

from rich.console import Console

from study.driver import Driver
from study.ledger import Ledger
from study.progress import Progress
from study.simulation import TABLE_1, Simulation
from tests.study.walk import small


def test_time_is_left_as_long_as_something_trains() -> None:
    told = io.StringIO()
    ledger = Ledger(small(), "memory:")
    progress = Progress(ledger.spec, ledger.facts(), Console(file=told, width=200))
    Simulation(Driver(ledger, (progress,)), TABLE_1).run()
    lines = told.getvalue().splitlines()
    planned = [f"[{number}/{len(lines)}]" for number in range(1, len(lines) + 1)]
    assert [line.split()[0] for line in lines] == planned
    tests = [line for line in lines if " TESTED " in line]
    assert len(tests) == 4
    assert "left" in lines[len(lines) // 2]
    assert not any("left" in line for line in tests)
