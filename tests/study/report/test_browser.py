"""The report in a real browser; the screenshot is for a person to look at.

With STUDY_SCREENSHOTS it stays in that folder, else in the test's own.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces import load_space
from study.record import TrialRecord
from study.report.caption import ReportFacts
from study.report.report import write_report
from study.tables.study_comparison import Other
from study.tables.table import build_table
from tests.browser import CHROMIUM, screenshot, seen

_LOOK = """
const images = [...document.images];
const boxes = [...document.querySelectorAll("h2, h3, table, figure, .note, dl, nav")]
  .map(element => element.getBoundingClientRect());
return {
  tables: document.querySelectorAll("table").length,
  rows: document.querySelectorAll("#results tbody tr").length,
  best: document.querySelectorAll("#results tr.best").length,
  images: images.length,
  drawn: images.filter(image => image.complete && image.naturalWidth > 500).length,
  empty: [...document.querySelectorAll("td")].filter(cell => !cell.innerText.trim()).length,
  raw: [...document.body.innerText.matchAll(/None|nan\\b|NaN|undefined|object at|{{/g)].length,
  overlapping: boxes.filter((a, i) => boxes.slice(0, i).some(b =>
    a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1
    && !(a.top >= b.top && a.bottom <= b.bottom) && !(b.top >= a.top && b.bottom <= a.bottom)
  )).length,
  wide: document.documentElement.scrollWidth > innerWidth ? 1 : 0,
  height: document.documentElement.scrollHeight,
};
"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
@pytest.mark.parametrize("space", ["digits", "table1"])
def test_tables_and_charts_are_seen_in_a_browser(
    space: str, synthetic_records: Callable[..., list[TrialRecord]], tmp_path: Path
) -> None:
    spec = load_space(space, ["budget.max_epochs=30", "budget.trials_per_stratum=16"])
    records = synthetic_records(spec, folder=tmp_path)
    records[0] = replace(records[0], state="FAIL", value=None, reason="rate is nan in epoch 3")
    other = Other("again", build_table(spec, records))
    page = write_report(tmp_path, spec, records, ReportFacts("0123abc"), other)
    found = seen(page, _LOOK, tmp_path / "profile")
    assert found["tables"] >= 10
    assert found["rows"] == len(spec.cells())
    assert found["best"] == len({(s.dataset, s.latent_size) for s in spec.cells()})
    assert found["drawn"] == found["images"] == 7
    assert (found["empty"], found["overlapping"], found["wide"]) == (0, 0, 0)
    assert found["raw"] == 1  # the reason of the failure, as the ledger has it
    folder = Path(os.environ.get("STUDY_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"report-{space}.png"
    screenshot(page, image, tmp_path / "profile", int(found["height"]))
    assert image.stat().st_size > 50_000
