"""A study lies in one folder below its storage, and no name leads elsewhere."""

from pathlib import Path

import pytest

from search_spaces import load_space
from study.storage.layout import (
    Layout,
    ledger_url,
    make_folders,
    open_layout,
    save_settings,
    tracking_uri,
)
from trainables.error import InputError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = open_layout(tmp_path / "studies", "digits")
    make_folders(found)
    return found


BAD_NAMES = ["", "..", ".", "../digits", "a/b", "/tmp/x", "a\\b", "a b", "digits\n", "a\0", "é"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name") as refused:
        open_layout(tmp_path / "studies", name)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["data", "mlartifacts"])
def test_a_name_that_the_storage_needs_itself_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_layout(tmp_path, name)


def test_opening_makes_nothing(tmp_path: Path) -> None:
    open_layout(tmp_path / "studies", "digits")
    assert list(tmp_path.iterdir()) == []


def test_everything_of_a_study_lies_in_its_storage(layout: Layout) -> None:
    own = [layout.spec, layout.journal, layout.settings, layout.lock, layout.stop_request,
           layout.ray, layout.report, layout.export]  # fmt: skip
    assert all(path.is_relative_to(layout.study) for path in own)
    shared = [layout.study, layout.data, layout.artifacts]
    assert all(path.is_relative_to(layout.storage) for path in shared)
    assert layout.storage.is_absolute()


def test_a_storage_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "studies"
    path.write_text("precious")
    with pytest.raises(InputError, match="is a file"):
        open_layout(path, "digits")
    assert path.read_text() == "precious"


def test_a_storage_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match="cannot be written"):
        make_folders(open_layout(tmp_path / "file" / "studies", "digits"))


def test_making_folders_again_changes_nothing(layout: Layout) -> None:
    before = sorted(layout.storage.rglob("*"))
    make_folders(layout)
    assert sorted(layout.storage.rglob("*")) == before


def test_ledger_and_tracking_lie_in_the_storage_unless_said(layout: Layout) -> None:
    assert ledger_url(layout) == f"journal:{layout.journal}"
    assert tracking_uri(layout) == f"sqlite:///{layout.storage}/mlflow.db"


def test_settings_are_kept_for_later_commands(layout: Layout) -> None:
    save_settings(layout, "sqlite:////here/ledger.db", "http://there:5000")
    save_settings(layout, None, None)
    again = open_layout(layout.storage, "digits")
    assert ledger_url(again) == "sqlite:////here/ledger.db"
    assert tracking_uri(again) == "http://there:5000"


@pytest.mark.parametrize("first", [None, "sqlite:////here/ledger.db"])
def test_a_study_keeps_its_ledger(layout: Layout, first: str | None) -> None:
    save_settings(layout, first, None)
    with pytest.raises(InputError, match=r"elsewhere\.db"):
        save_settings(layout, "sqlite:////elsewhere.db", None)
    assert ledger_url(layout) == (first or f"journal:{layout.journal}")


def test_the_question_is_read_back(layout: Layout) -> None:
    spec = load_space("digits", ["seed=3", "likelihood.scale=0.5"])
    layout.save_spec(spec)
    assert layout.load_spec() == spec


def test_an_unknown_study_shows_those_that_are_there(layout: Layout) -> None:
    layout.save_spec(load_space("digits"))
    with pytest.raises(InputError, match=r"no study 'digts' in .*there is: digits"):
        open_layout(layout.storage, "digts").load_spec()


def test_an_empty_storage_holds_no_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study 'digits'"):
        open_layout(tmp_path / "nowhere", "digits").load_spec()
    assert list(tmp_path.iterdir()) == []
