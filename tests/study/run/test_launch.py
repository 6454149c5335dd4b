"""What a launch does before anything runs: extend a question, or refuse it."""

from pathlib import Path
from typing import Any

import pytest

from search_spaces import DatasetFacts, StudySpec
from study.ledger import Ledger
from study.record import load_records
from study.run import launch
from study.storage.layout import Layout, ledger_url, open_layout
from study.storage.lock import hold
from tests.study.walk import Walk, small
from trainables.config import ImageFormat
from trainables.error import InputError

FACTS = {"digits": DatasetFacts(format=ImageFormat(channels=1, size=8), fingerprint="ab" * 32)}


@pytest.fixture(autouse=True)
def _without_data_and_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(layout: Layout, spec: StudySpec, *_: Any) -> StudySpec:
        return spec.with_datasets(FACTS)

    def run(layout: Layout, spec: StudySpec, ledger: Ledger, *_: Any) -> Any:
        return spec

    monkeypatch.setattr(launch, "_found", found)
    monkeypatch.setattr(launch, "_run", run)
    monkeypatch.setattr("os.fsync", lambda _: None)


def start(storage: Path, *overrides: str) -> Any:
    return launch.run_study(small(*overrides), storage=storage)


def test_an_extended_question_is_stored_beside_the_one_before(tmp_path: Path) -> None:
    start(tmp_path)
    layout = open_layout(tmp_path, "small")
    before = layout.spec.read_text()
    wider = start(tmp_path, "budget.trials_per_stratum=9")
    assert layout.load_spec() == wider
    assert wider.budget.trials_per_stratum == 9
    assert (layout.study / "spec-1.yaml").read_text() == before
    start(tmp_path, "budget.trials_per_stratum=9")
    assert not (layout.study / "spec-2.yaml").exists()


def test_a_refused_question_leaves_everything_as_it_was(tmp_path: Path) -> None:
    start(tmp_path)
    layout = open_layout(tmp_path, "small")
    before = layout.spec.read_bytes(), layout.journal.read_bytes()
    with pytest.raises(InputError, match=r"budget\.max_epochs=8, not 9"):
        start(tmp_path, "budget.max_epochs=9")
    assert (layout.spec.read_bytes(), layout.journal.read_bytes()) == before


def test_an_edited_spec_is_told_by_the_ledger_and_loses_nothing(tmp_path: Path) -> None:
    start(tmp_path)
    layout = open_layout(tmp_path, "small")
    url = f"journal:{layout.journal}"
    facts = Walk(layout.load_spec(), url).run()
    layout.spec.write_text(layout.spec.read_text().replace("max_epochs: 8", "max_epochs: 9"))
    for overrides in ((), ("budget.max_epochs=9",)):
        with pytest.raises(InputError, match=r"edited: .* budget\.max_epochs=8, not 9.*delete it"):
            start(tmp_path, *overrides)
    assert Ledger.read(url, "small") == facts
    restore(layout)
    assert Ledger.read(url, "small") == facts


def restore(layout: Layout) -> None:
    """As the message says; another command does not come through."""
    layout.spec.unlink()
    with pytest.raises(InputError, match=r"budget\.max_epochs=8, not 10"):
        start(layout.storage, "budget.max_epochs=10")
    assert not layout.spec.exists()
    start(layout.storage)
    assert layout.load_spec().budget.max_epochs == 8


@pytest.mark.parametrize("content", ["", "name: [", "budget: 3\n", "\0", "name: small\nnaem: x\n"])
def test_a_corrupt_spec_is_named_and_can_be_had_back(tmp_path: Path, content: str) -> None:
    start(tmp_path)
    layout = open_layout(tmp_path, "small")
    Walk(layout.load_spec(), f"journal:{layout.journal}")
    layout.spec.write_text(content)
    with pytest.raises(InputError, match=r"spec\.yaml.*delete it"):
        start(tmp_path)
    restore(layout)


def test_a_storage_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    start(tmp_path / "old")
    layout = open_layout(tmp_path / "old", "small")
    facts = Walk(layout.load_spec(), f"journal:{layout.journal}").run()
    (tmp_path / "old").rename(tmp_path / "new")
    start(tmp_path / "new")
    moved = open_layout(tmp_path / "new", "small")
    assert Ledger.read(ledger_url(moved), "small") == facts
    assert not (tmp_path / "old").exists()


def test_deleted_trial_folders_take_no_result_with_them(tmp_path: Path) -> None:
    """Curves and weights are gone; what was decided is in the ledger."""
    start(tmp_path)
    layout = open_layout(tmp_path, "small")
    walk = Walk(layout.load_spec(), f"journal:{layout.journal}")
    walk.ledger.next("left under way")
    facts = walk.ledger.facts()
    assert not (layout.study / "trials").exists()
    known = {(r.phase, r.stratum, r.number): (r.state, r.rungs, r.value)
             for r in load_records(tmp_path, "small")}  # fmt: skip
    assert known == {(t.phase, t.stratum, t.number): (t.state, t.rungs, t.value)
                     for t in facts.trials}  # fmt: skip
    again = Ledger(walk.spec, f"journal:{layout.journal}").next("again")
    assert again is not None
    assert again.attempt == 2


@pytest.mark.parametrize("since", ["1970-01-01T00:00:00+00:00", "2199-01-01T00:00:00+00:00"])
def test_a_clock_that_jumped_neither_frees_nor_keeps_a_study(tmp_path: Path, since: str) -> None:
    """The kernel holds the lock, not a time: what a dead driver wrote there binds nobody."""
    start(tmp_path)
    lock = open_layout(tmp_path, "small").lock
    lock.write_text(f'{{"host": "here", "process": 1, "since": "{since}"}}')
    start(tmp_path)
    with hold(lock), pytest.raises(InputError, match="already run by"):
        start(tmp_path)
