import os
import signal
from pathlib import Path

import pytest

from study.run.stop import Stop


def test_nothing_asks_to_stop_at_first(tmp_path: Path) -> None:
    assert not Stop(tmp_path / "request", None)()


def test_a_request_and_a_time_limit_stop_with_their_reason(tmp_path: Path) -> None:
    request = Stop(tmp_path / "request", None)
    (tmp_path / "request").touch()
    limit = Stop(tmp_path / "other", 0.0)
    assert request()
    assert limit()
    assert "study stop" in request.reason
    assert "time limit" in limit.reason


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_stops_once_and_the_handlers_return(
    number: signal.Signals, reason: str, tmp_path: Path
) -> None:
    before = signal.getsignal(number)
    stop = Stop(tmp_path / "request", None)
    with stop.listening():
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.reason == reason
        assert signal.getsignal(number) == before  # a second one ends the process
    assert signal.getsignal(number) == before
