"""What Tune is answered when it asks for a trial."""

import pytest
from ray.tune.search import Searcher

from study.cluster.tune import _LedgerSearcher
from study.driver import Driver
from study.ledger import Ledger
from tests.study.walk import small


@pytest.mark.parametrize(("limit", "num_issued"), [(1, 1), (2, 2), (None, 4)])
def test_no_trial_is_issued_before_it_can_begin(limit: int | None, num_issued: int) -> None:
    driver = Driver(Ledger(small(), "memory:"))
    searcher = _LedgerSearcher(driver, limit)
    answers = [searcher.suggest(f"trial-{number}") for number in range(4)]
    assert [answer is not None for answer in answers] == [True] * num_issued + [False] * (
        4 - num_issued
    )
    driver.lose_all("gone")
    again = searcher.suggest("again")
    assert isinstance(again, dict)
    assert again["suggestion"]["attempt"] == 2


def test_a_study_that_is_stopped_ends_though_its_trials_stay_under_way() -> None:
    driver = Driver(Ledger(small(), "memory:"), stop_requested=lambda: bool(asked))
    searcher, asked = _LedgerSearcher(driver, 1), list[str]()
    assert isinstance(searcher.suggest("first"), dict)
    assert searcher.suggest("second") is None
    asked.append("stop")
    assert searcher.suggest("third") == Searcher.FINISHED
    assert driver.running
