"""What happens to a study around its trials."""

from pathlib import Path

import pytest
from rich.console import Console

from study.driver import Driver
from study.ledger import Ledger
from study.ledger.failure import NodeLostError
from study.run import session as drive
from study.run.stop import Stop
from tests.study.walk import small


@pytest.mark.parametrize(("num_deaths", "is_told"), [(2, ""), (99, "has died 5 times")])
def test_a_dead_node_is_replaced_as_long_as_that_helps(
    num_deaths: int, is_told: str, tmp_path: Path
) -> None:
    deaths, stop = iter(range(num_deaths)), Stop(tmp_path / "stop-request", None)
    driver = Driver(Ledger(small(), "memory:"), (), stop)
    suggestions = []

    def run() -> None:
        suggestions.append(driver.issue(f"issue-{len(suggestions)}"))
        if next(deaths, None) is not None:
            raise NodeLostError("the node has died")

    drive._outlive_nodes(run, driver, stop, Console(quiet=True))
    assert [s.attempt for s in suggestions if s] == list(range(1, len(suggestions) + 1))
    assert len(suggestions) == min(num_deaths + 1, 5)
    assert is_told in stop.reason
    assert stop.is_failure == bool(stop.reason) == bool(is_told)
