"""Whoever leaves a job never waits; what failed is done again, once the other side is back."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from study.tracking import sender as module
from study.tracking.sender import Sender

Job = Callable[[list[str]], None]


class Server:
    """Writes down what jobs say; away until told otherwise."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.num_attempts = 0
        self.is_away = threading.Event()

    def connect(self) -> list[str]:
        self.num_attempts += 1
        if self.is_away.is_set():
            raise ConnectionError("nobody answers")
        return self.done

    def says(self, word: str) -> Job:
        return lambda done: done.append(word)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def sender(server: Server, told: list[str]) -> Iterator[Sender[list[str]]]:
    made = Sender(server.connect, told.append, first_pause=0.01)
    yield made
    made.close(10)


def test_every_job_is_done_in_order(server: Server, sender: Sender[list[str]]) -> None:
    for word in "abc":
        sender.put(word, server.says(word))
    assert sender.close(10) == ()
    assert server.done == ["a", "b", "c"]


def test_leaving_jobs_never_waits_for_a_server_that_hangs(
    server: Server, sender: Sender[list[str]]
) -> None:
    answers = threading.Event()
    began = threading.Event()

    def hang(done: list[str]) -> None:
        began.set()
        answers.wait(60)

    sender.put("first", hang)
    assert began.wait(10)
    for number in range(10_000):
        sender.put(f"trial {number % 100}", server.says(f"{number}"))
    # Here all were left while the first was still waiting for its answer.
    assert server.done == []
    answers.set()
    assert sender.close(10) == ()
    assert server.done == [f"{number}" for number in range(9_900, 10_000)]


def test_a_newer_job_takes_the_place_of_an_older_one(
    server: Server, sender: Sender[list[str]]
) -> None:
    server.is_away.set()
    sender.put("trial", server.says("old"))
    sender.put("trial", server.says("new"))
    server.is_away.clear()
    assert sender.close(10) == ()
    assert server.done == ["new"]


def test_a_job_left_while_its_older_one_is_done_is_done_too(
    server: Server, sender: Sender[list[str]]
) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(done: list[str]) -> None:
        began.set()
        goes_on.wait(60)
        done.append("old")

    sender.put("trial", slow)
    assert began.wait(10)
    sender.put("trial", server.says("new"))
    goes_on.set()
    assert sender.close(10) == ()
    assert server.done == ["old", "new"]


def test_one_line_says_that_it_is_away_and_one_that_it_is_back(
    server: Server, told: list[str], sender: Sender[list[str]]
) -> None:
    server.is_away.set()
    for word in "abc":
        sender.put(word, server.says(word))
    while server.num_attempts < 4:
        threading.Event().wait(0.01)
    server.is_away.clear()
    assert sender.close(10) == ()
    assert Counter(server.done) == Counter("abc")
    assert [line.split(" (")[0] for line in told] == [
        "not reached",
        "reached again; all that it missed is sent",
    ]
    assert "nobody answers" in told[0]


def test_what_is_never_reached_is_named_at_the_end(
    server: Server, sender: Sender[list[str]]
) -> None:
    server.is_away.set()
    sender.put("a", server.says("a"))
    sender.put("b", server.says("b"))
    assert set(sender.close(10)) == {"a", "b"}
    assert server.done == []


def test_the_end_does_not_wait_for_an_answer_that_never_comes(
    server: Server, sender: Sender[list[str]]
) -> None:
    answers = threading.Event()
    sender.put("a", lambda done: answers.wait(60) and None)
    sender.put("b", server.says("b"))
    assert sender.close(0.1) == ("a", "b")
    answers.set()
    sender._thread.join(10)
    assert server.done == []  # nothing is begun after the end


def test_a_job_that_always_fails_keeps_no_other_from_being_done(
    server: Server, sender: Sender[list[str]]
) -> None:
    def refuse(done: list[str]) -> None:
        raise ValueError("this param has another value already")

    sender.put("poison", refuse)
    for word in "abc":
        sender.put(word, server.says(word))
    assert sender.close(10) == ("poison",)
    assert server.done == ["a", "b", "c"]


def test_pauses_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    pauses: list[float] = []

    class Silent(threading.Condition):
        def wait_for(
            self, predicate: Callable[[], object], timeout: float | None = None
        ) -> object:
            if timeout is None:
                return super().wait_for(predicate)
            pauses.append(timeout)
            if len(pauses) == 8:
                server.is_away.clear()
            return False

    monkeypatch.setattr(module.threading, "Condition", Silent)
    server.is_away.set()
    sender = Sender(server.connect, lambda line: None)
    sender.put("a", server.says("a"))
    sender._thread.join(0)
    while not server.done:
        threading.Event().wait(0.01)
    assert sender.close(10) == ()
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
