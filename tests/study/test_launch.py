"""What a launch does before anything runs: extend a question, or refuse it."""

from pathlib import Path
from typing import Any

import pytest

from search_spaces import DatasetFacts, StudySpec
from study import launch
from study.layout import Layout, open_layout
from study.ledger import Ledger
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
        with pytest.raises(InputError, match=r"budget\.max_epochs"):
            start(tmp_path, *overrides)
    assert Ledger.read(url, "small") == facts
