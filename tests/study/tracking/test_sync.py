"""`study sync` makes a store from nothing but ledger and histories."""

from pathlib import Path

import pytest
from rich.console import Console

from search_spaces import StudySpec
from study.record import load_records
from study.storage.layout import Layout, open_layout, tracking_uri
from study.storage.lock import hold
from study.tracking.address import check_tracking_uri
from study.tracking.sync import sync_study
from tests.simulation import simulate
from tests.study.tracking.conftest import assert_mirrored
from tests.study.walk import small
from trainables.error import InputError


@pytest.fixture(scope="session")
def spec() -> StudySpec:
    return small()


@pytest.fixture
def layout(spec: StudySpec, tmp_path: Path, uri: str) -> Layout:
    """A finished study that MLflow has never heard of, beside an empty store."""
    layout = open_layout(tmp_path, spec.name)
    layout.study.mkdir()
    layout.save_spec(spec)
    simulate(spec, url=f"journal:{layout.journal}")
    assert tracking_uri(layout) == uri
    return layout


def test_a_store_is_made_from_the_ledger_and_again_the_same(
    layout: Layout, spec: StudySpec, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = layout.journal.read_bytes()
    for _ in range(2):
        sync_study(layout, None, Console())
        assert_mirrored(uri, spec.name, load_records(layout.storage, spec.name))
    assert layout.journal.read_bytes() == before
    assert "trials are in MLflow at sqlite://" in capsys.readouterr().out


def test_a_study_that_a_driver_runs_is_refused(layout: Layout) -> None:
    with hold(layout.lock), pytest.raises(InputError, match="already run by"):
        sync_study(layout, None, Console())


def test_a_server_that_is_down_is_one_sentence(layout: Layout) -> None:
    with pytest.raises(InputError, match=r"was not reached: .*`study sync small`") as refused:
        sync_study(layout, "http://ada:secret@127.0.0.1:9", Console())
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_damaged_store_is_one_sentence(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="not a database") as refused:
        sync_study(layout, None, Console())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("uri", ["nonsense", "ftp://there", "file:///mlruns", "http://", ""])
def test_an_address_of_no_store_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="--tracking-uri needs"):
        check_tracking_uri(uri)


@pytest.mark.parametrize(
    "uri", ["http://h:1", "https://u:p@h", "sqlite:////a.db", "mysql+pymysql://h/d", "databricks"]
)
def test_an_address_of_a_store_is_taken(uri: str) -> None:
    check_tracking_uri(uri)
