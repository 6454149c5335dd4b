"""A real MLflow server that is killed with SIGKILL, and one that answers nonsense."""

import functools
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tracking.mirror import Mirror
from study.tracking.run import trial_key
from study.tracking.sender import Sender
from study.tracking.store import Store
from study.tracking.tracker import open_mirror
from tests.mlflow_server import MlflowServer
from tests.study.conftest import make_records
from tests.study.tracking.conftest import assert_mirrored


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_killed_in_the_middle_ends_up_with_everything_once(
    uri: str, spec: StudySpec, tmp_path: Path
) -> None:
    records = make_records(spec, num_seeds=1, num_trials=2)
    told: list[str] = []
    server = MlflowServer(uri, tmp_path)
    server.start()
    connect = functools.partial(open_mirror, server.url, spec, tmp_path, artifacts=None)
    sender: Sender[Mirror] = Sender(connect, told.append, first_pause=0.05)
    shown: list[str] = []
    at_five = threading.Event()

    def show(mirror: Mirror, record: TrialRecord) -> None:
        mirror.show(record)
        shown.append(trial_key(record))
        if len(shown) == 5:
            at_five.set()

    for record in records:
        sender.put(trial_key(record), functools.partial(show, record=record))
    assert at_five.wait(120)
    server.kill()
    while not told:
        time.sleep(0.01)
    server.start()
    try:
        assert sender.close(120) == ()
    finally:
        server.kill()
    assert [line.split(" ")[0] for line in told] == ["not", "reached"]
    assert_mirrored(uri, spec.name, records)


class Nonsense(http.server.BaseHTTPRequestHandler):
    """Answers everything with the server's `status` and `body`."""

    def answer(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    server.status, server.body = status, body
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"", "500"),
        (507, b"no space left on device", "507"),
        (200, b"<html>an inn's welcome page</html>", ""),
        (401, b"who are you?", "401"),
    ],
)
def test_a_server_that_answers_nonsense_is_told_of_and_loses_nothing(
    status: int, body: bytes, words: str, spec: StudySpec
) -> None:
    told: list[str] = []
    with answering(status, body) as url:
        sender: Sender[Store] = Sender(
            lambda: Store(url, spec.name), told.append, first_pause=0.01
        )
        sender.put("a trial", lambda store: None)
        assert sender.close(30) == ("a trial",)
    (line,) = told
    assert line.startswith("not reached (")
    assert words in line


def test_a_server_that_never_answers_is_given_up_after_the_timeout(
    spec: StudySpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    told: list[str] = []
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sender: Sender[Store] = Sender(
            lambda: Store(url, spec.name), told.append, first_pause=0.01
        )
        sender.put("a trial", lambda store: None)
        assert sender.close(60) == ("a trial",)
    (line,) = told
    assert "timed out" in line.lower() or "timeout" in line.lower()
