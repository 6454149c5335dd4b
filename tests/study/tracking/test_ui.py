"""`study ui` opens a study at the comparison that answers its question."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces import StudySpec
from study.record import TrialRecord
from study.storage.layout import Layout, open_layout, save_settings
from study.tracking import ui
from study.tracking.tracker import open_mirror
from study.tracking.view import SHOWN, view_state
from tests.browser import CHROMIUM
from tests.mlflow_server import free_port
from tests.study.conftest import make_records
from trainables.error import InputError


@pytest.fixture(scope="module")
def records(spec: StudySpec) -> list[TrialRecord]:
    return make_records(spec, num_seeds=2, num_trials=2)


@pytest.fixture(scope="module")
def layout(
    empty_store: Path,
    spec: StudySpec,
    records: list[TrialRecord],
    tmp_path_factory: pytest.TempPathFactory,
) -> Layout:
    """A storage with one study that MLflow shows."""
    layout = open_layout(tmp_path_factory.mktemp("storage"), spec.name)
    layout.study.mkdir()
    layout.save_spec(spec)
    shutil.copy(empty_store, layout.storage / "mlflow.db")
    mirror = open_mirror(layout.mlflow_uri, spec, layout.study, layout.artifacts)
    mirror.show_study(records, is_at_work=False, is_finished=True)
    for record in records:
        mirror.show(record)
    return layout


def view_of(records: list[TrialRecord]) -> dict[str, object]:
    packed = view_state(records).removeprefix("deflate;")
    view: dict[str, object] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return view


def test_what_is_tested_is_compared_by_its_test_fid_and_before_by_the_validation_fid(
    records: list[TrialRecord],
) -> None:
    tested = view_of(records)
    assert tested["searchFilter"] == "tags.phase = 'confirm'"
    assert tested["orderByKey"] == "metrics.`test_fid`"
    searching = view_of([replace(record, test=None) for record in records])
    assert searching["searchFilter"] == "tags.phase = 'search'"
    assert searching["orderByKey"] == "metrics.`val_fid`"


def test_every_metric_has_one_chart_and_a_view_fits_into_a_tag(
    records: list[TrialRecord],
) -> None:
    charts = view_of(records)["compareRunCharts"]
    metrics = [chart["metricKey"] for chart in charts if "metricKey" in chart]
    assert len(set(metrics)) == len(metrics)
    assert {*SHOWN, "kid", "prior_hole", "device_seconds"} <= set(metrics)
    assert len(view_state(records)) < 20_000


def test_the_study_that_ran_last_is_found_and_an_unknown_one_shows_what_there_is(
    layout: Layout,
) -> None:
    assert ui._experiment(layout, None) == ui._experiment(layout, "digits")
    with pytest.raises(InputError, match="no study 'other'; there is: digits"):
        ui._experiment(layout, "other")


def test_a_damaged_store_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 99)
    with pytest.raises(InputError, match="study sync"):
        ui._experiment(open_layout(tmp_path, "any"), None)


def test_a_study_that_a_server_shows_is_not_served_again(layout: Layout) -> None:
    elsewhere = open_layout(layout.storage, "elsewhere")
    elsewhere.study.mkdir()
    save_settings(elsewhere, None, "http://ada:secret@there:5000")
    with pytest.raises(InputError, match=r"shown by MLflow at http://ada:\*\*\*@there:5000"):
        ui.serve(layout.storage, 5000, "elsewhere")


@pytest.fixture
def page(layout: Layout) -> Iterator[str]:
    """The address that `study ui` prints, while it serves."""
    port = str(free_port())
    command = [sys.executable, "-m", "study", "ui", "--port", port]
    command += ["--storage", str(layout.storage)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            assert address.startswith(f"http://127.0.0.1:{port}/#/experiments/")
            wait_for(f"http://127.0.0.1:{port}/health")
            yield address
        finally:
            server.send_signal(signal.SIGINT)


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_browser_sees_the_confirmed_runs_by_cell_and_their_charts(
    page: str, tmp_path: Path
) -> None:
    """STUDY_SCREENSHOTS names a folder where the screenshot is kept."""
    assert CHROMIUM is not None
    folder = Path(os.environ.get("STUDY_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1900,1300",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=120000",
    ]  # fmt: skip
    picture = folder / "mlflow.png"
    seen = subprocess.run(
        [*command, "--dump-dom", page], capture_output=True, text=True, timeout=280, check=True
    ).stdout
    subprocess.run([*command, f"--screenshot={picture}", page], timeout=280, check=True)
    text = re.sub(r"<[^>]+>", " ", seen)
    for words in ("flow-8 confirm #0, tested", "Which prior is best", "tags.phase"):
        assert words in text or words in seen
    assert "flow-8 #0" not in text  # the search's trials are filtered out
    assert "Error" not in text
    assert picture.read_bytes().startswith(b"\x89PNG")
