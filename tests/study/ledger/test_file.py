"""Torn, damaged and foreign files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from study.ledger import Ledger
from tests.study.walk import Walk, by_stratum, phase, small
from trainables.error import InputError


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*")}


def test_a_torn_last_line_is_mended_when_the_driver_opens_it(journal: str, tmp_path: Path) -> None:
    spec = small()
    walk = Walk(spec, journal)
    walk.issue()
    path = tmp_path / "ledger.journal"
    whole = path.read_bytes()
    for torn in (whole + b'{"op_code": 6, "wor', whole[:-37]):
        path.write_bytes(torn)
        again = Walk(spec, journal)
        assert path.read_bytes().startswith(torn[: torn.rfind(b"\n") + 1])
        assert again.issue() is not None
    assert by_stratum(phase(again.run(), "search")) == dict.fromkeys(spec.cells(), 6)


def test_the_lock_file_of_a_killed_driver_is_no_obstacle(journal: str, tmp_path: Path) -> None:
    walk = Walk(small(), journal)
    walk.issue()
    (tmp_path / "ledger.journal.lock").symlink_to("ledger.journal")
    walk.restart()
    assert walk.issue() is not None


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_reading_neither_makes_nor_changes_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    url = f"journal:{path}" if kind == "journal" else f"sqlite:///{path}"
    walk = Walk(small(), url)
    ray_trial_id = walk.issue()
    assert ray_trial_id is not None
    walk.advance(ray_trial_id)
    before = snapshot(tmp_path)
    assert Ledger.read(url, "small") == walk.ledger.facts()
    assert snapshot(tmp_path) == before


def test_a_torn_ledger_is_read_up_to_its_last_whole_line(journal: str, tmp_path: Path) -> None:
    walk = Walk(small(), journal)
    walk.issue()
    facts = walk.ledger.facts()
    path = tmp_path / "ledger.journal"
    path.write_bytes(path.read_bytes() + b'{"op_code": 6, "wor')
    before = snapshot(tmp_path)
    assert Ledger.read(journal, "small") == facts
    assert snapshot(tmp_path) == before


def test_reading_shows_what_the_driver_sees_while_it_runs(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        walk.advance(ray_trial_id)
        assert Ledger.read(journal, "small") == walk.ledger.facts()
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)


def test_an_unknown_study_is_named(lasting_url: str) -> None:
    Ledger(small(), lasting_url)
    with pytest.raises(InputError, match="no study 'smal'"):
        Ledger.read(lasting_url, "smal")


@pytest.mark.parametrize("scheme", ["journal:", "sqlite:///"])
def test_a_ledger_that_is_not_there_is_an_input_error(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ledger"):
        Ledger.read(f"{scheme}{tmp_path / 'nowhere'}", "small")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["journal:", "sqlite:///"])
@pytest.mark.parametrize("open_it", [lambda u: Ledger(small(), u), lambda u: Ledger.read(u, "s")])
def test_a_file_that_is_no_ledger_is_an_input_error(
    scheme: str, open_it: Callable[[str], object], tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs\nflour\n")
    with pytest.raises(InputError):
        open_it(f"{scheme}{path}")


def test_a_file_that_is_no_ledger_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs")
    with pytest.raises((InputError, json.JSONDecodeError)):
        Ledger(small(), f"journal:{path}")
    assert path.read_text() == "milk\neggs"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "ftp://here",
        "postgresql://localhost:1/none",
        "journal:/nowhere/at/all",
        "sqlite:////nowhere/at/all",
    ],
)
def test_a_url_that_cannot_be_opened_is_an_input_error(url: str) -> None:
    with pytest.raises(InputError):
        Ledger(small(), url)


def test_two_studies_share_a_ledger_without_seeing_each_other(lasting_url: str) -> None:
    spec = small("budget.trials_per_stratum=1", "strata.prior=gaussian", "confirm.num_seeds=1")
    one = Walk(spec, lasting_url)
    other = Walk(spec.model_copy(update={"name": "small2"}), lasting_url)
    one.run()
    assert other.ledger.facts().trials == ()
    other.run()
    assert (
        len(Ledger.read(lasting_url, "small").trials)
        == len(Ledger.read(lasting_url, "small2").trials)
        == 2
    )


@pytest.mark.parametrize("content", [b"garbage\n", b"\xff\xfe\n", b"{}\n", b"[]\n", b"\n",
                                     b'{"op_code": 99, "worker_id": "x"}\n'])  # fmt: skip
@pytest.mark.parametrize("place", ["in its midst", "last"])
def test_a_damaged_line_is_named_and_nothing_is_written(
    content: bytes, place: str, journal: str, tmp_path: Path
) -> None:
    Walk(small(), journal).run()
    path = Path(journal.removeprefix("journal:"))
    lines = path.read_bytes().splitlines(keepends=True)
    number = len(lines) if place == "last" else len(lines) // 2
    path.write_bytes(b"".join([*lines[: number - 1], content, *lines[number:]]))
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"damaged: line {number} .*head -n {number - 1}`"):
        Ledger(small(), journal)
    assert path.read_bytes() == before
    if place != "last":  # to a reader it may be a line that is just being written
        with pytest.raises(InputError, match=f"line {number} "):
            Ledger.read(journal, "small")
