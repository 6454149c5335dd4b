import csv
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from search_spaces import StudySpec, load_space
from study.record import TrialRecord
from study.report.caption import ReportFacts, caption_facts
from study.report.report import write_report
from study.tables.protocol import protocol_hash
from study.tables.result import fid_parts
from study.tables.table import build_table

MakeRecords = Callable[..., list[TrialRecord]]
FACTS = ReportFacts(
    commit="0123abc", versions={"torch": "2.15.0"}, device="cpu", cpu_model="A <fast> one",
    num_threads=1, generated_at=datetime(2026, 1, 2, tzinfo=UTC),
)  # fmt: skip


class _Page(HTMLParser):
    """The texts and the links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def records(spec: StudySpec, synthetic_records: MakeRecords) -> list[TrialRecord]:
    return synthetic_records(spec)


@pytest.fixture(scope="module")
def written(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of a finished study, with sample grids."""
    folder = tmp_path_factory.mktemp("study")
    return write_report(folder, spec, synthetic_records(spec, folder=folder), FACTS)


def test_the_report_opens_offline(written: Path) -> None:
    page = page_of(written)
    assert written.parts[-2:] == ("report", "report.html")
    assert page.tags.count("img") == 7
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert not re.search(r"url\(|@import|https?:", written.read_text(encoding="utf-8"))


def test_the_report_says_what_the_table_holds_and_how_it_was_made(
    spec: StudySpec, records: list[TrialRecord], written: Path
) -> None:
    page = page_of(written)
    for cell in build_table(spec, records).cells:
        assert f"{cell.mean:.2f} ± {cell.standard_deviation:.2f}" in page.text
    for fact in ("classifier", "2000", "reference test", "0123abc", "torch 2.15.0", "exact"):
        assert fact in page.text
    assert "not finished" not in page.text
    assert "Whether a lead is more than chance" in page.text


def test_the_page_says_what_splits_share_only_where_it_is_known(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    text = "train and test share 3 of 10,000 images, pixel by pixel"
    facts = replace(FACTS, overlaps={"digits": text})
    page = page_of(write_report(tmp_path / "known", spec, records, facts))
    assert "splits of digits" in page.text
    assert text in page.text
    page = page_of(write_report(tmp_path / "unknown", spec, records, FACTS))
    assert "splits of" not in page.text


def test_the_report_of_an_empty_study_is_written_and_says_so(
    spec: StudySpec, tmp_path: Path
) -> None:
    page = page_of(write_report(tmp_path, spec, [], FACTS))
    assert "no answer yet" in page.text
    assert page.text.count("not started") >= len(spec.cells())
    assert "img" not in page.tags


def test_a_report_is_written_at_every_moment_of_a_study(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    stratum = spec.cells()[0]
    history = [r for r in synthetic_records(spec) if r.stratum == stratum]
    asked = replace(
        history[0], config={}, measurements=(), state="RUNNING", value=None, rungs={}, folder=None
    )
    for records in ([asked], history[:1], [*history[:8], asked], history[:9]):
        page = page_of(write_report(tmp_path, spec, records, FACTS))
        assert "The study is not finished" in page.text


def test_names_and_reasons_are_escaped(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    spec = spec.model_copy(update={"description": "<script>alert(1)</script>"})
    records[0] = replace(records[0], state="FAIL", value=None, reason="<img src=x> & more")
    page = page_of(write_report(tmp_path, spec, records, FACTS))
    assert "script" not in page.tags
    assert "x" not in page.links
    for text in ("<script>alert(1)</script>", "<img src=x> & more", "A <fast> one"):
        assert text in page.text


def test_the_parts_of_the_test_fid_are_shown_where_they_are_known(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    title = "What the test FID is made of"
    assert title in page_of(write_report(tmp_path, spec, records, FACTS)).text
    old = [
        replace(r, test=r.test and replace(r.test, aggregate_fid=None, hole_fid=None))
        for r in records
    ]
    assert title not in page_of(write_report(tmp_path, spec, old, FACTS)).text


def test_the_hole_says_whether_it_is_a_distance_or_a_difference(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    def with_hole(hole: float | None) -> list[TrialRecord]:
        return [replace(r, test=r.test and replace(r.test, hole_fid=hole)) for r in records]

    direct, old = (build_table(spec, with_hole(hole)) for hole in (44.6, None))
    both = build_table(spec, [*with_hole(44.6)[:-1], with_hole(None)[-1]])
    assert {row["prior_hole"] for row in fid_parts(direct).rows} == {44.6}
    assert "The hole is the FID of the prior's samples to those draws" in fid_parts(direct).caption
    assert "minus" not in fid_parts(direct).caption
    first = fid_parts(old).rows[0]
    assert first["prior_hole"] == pytest.approx(first["test_fid"] - first["aggregate_fid"])
    assert "The hole is the test FID minus that" in fid_parts(old).caption
    assert "Where a seed lacks it" in fid_parts(both).caption


@pytest.mark.parametrize(("variance", "nats"), [("posterior", "2.22"), ("beta", "0.00")])
def test_what_a_reverse_variance_costs_is_told_of_the_chosen_configs(
    spec: StudySpec, records: list[TrialRecord], variance: str, nats: str
) -> None:
    schedule = {"kind": "linear", "num_steps": 50}
    chosen = {"prior.variance": variance, "prior.beta_schedule": schedule}
    of_diffusion = [
        replace(r, config=spec.trial_config(r.stratum, chosen).model_dump(mode="json"))
        for r in records
        if r.stratum.prior == "diffusion"
    ]
    facts = dict(caption_facts(spec, build_table(spec, of_diffusion), "", {}))
    assert f"{variance} {nats} nats a dimension (linear, T = 50)" in facts["reverse variance"]
    others = [r for r in records if r.stratum.prior != "diffusion"]
    assert "reverse variance" not in dict(caption_facts(spec, build_table(spec, others), "", {}))


def test_the_kid_names_its_scale(spec: StudySpec, records: list[TrialRecord]) -> None:
    grid = fid_parts(build_table(spec, records))
    place = grid.headers.index("KID (× 1)")
    assert grid.texts()[0][place] == "0.1"
    assert "others print it times 10³" in grid.caption


def test_the_csv_reads_back_to_the_same_numbers(
    spec: StudySpec, records: list[TrialRecord], written: Path
) -> None:
    with written.with_name("table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, cell in zip(rows, build_table(spec, records).cells, strict=True):
        assert (row["dataset"], row["prior"]) == (cell.stratum.dataset, cell.stratum.prior)
        assert float(row["test_fid"]) == cell.mean
        assert float(row["standard_deviation"]) == cell.standard_deviation
        assert tuple(map(float, row["test_fids"].split())) == cell.test_fids
        assert float(row["prior_hole"]) == pytest.approx(cell.mean / 2)
        assert row["fid_protocol"] == protocol_hash(cell.tests[0].protocol)
        assert float(row["seconds"]) == cell.seconds
        assert int(row["num_pruned"]) == cell.num_pruned


def test_the_markdown_has_one_row_a_cell_and_one_width(spec: StudySpec, written: Path) -> None:
    lines = written.with_name("table.md").read_text().splitlines()
    assert len(lines) == 2 + len(spec.cells())
    assert len({line.count("|") for line in lines}) == 1


def test_writing_again_leaves_the_same_files_and_nothing_aside(
    spec: StudySpec, records: list[TrialRecord], written: Path
) -> None:
    first = written.read_bytes()
    assert write_report(written.parents[1], spec, records, FACTS).read_bytes() == first
    names = sorted(path.name for path in written.parent.iterdir())
    assert names == ["plots", "report.html", "table.csv", "table.md", "tables"]
    assert not [path for path in written.parent.rglob(".*")]


def test_the_papers_value_stands_beside_ours(
    synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    overrides = ["budget.max_epochs=20", "strata.dataset=celeba", "strata.latent_size=40"]
    spec = load_space("table1", [*overrides, "budget.trials_per_stratum=3"])
    page = page_of(write_report(tmp_path, spec, synthetic_records(spec), FACTS))
    assert all(text in page.text for text in ("154.3", "72.90", "114.8", "Wehenkel"))


def test_a_study_of_variants_shows_them_and_misses_nothing(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    budget = spec.budget.model_copy(update={"trials_per_stratum": 0})
    spec = spec.model_copy(update={"budget": budget, "variants": {"flat": {}}})
    trained = [replace(r, attributes={"variant": "flat"}) for r in records if r.test is not None]
    page = page_of(write_report(tmp_path, spec, trained, FACTS))
    # What it moves, the parts of its FID, and its bound.
    assert page.text.count("flat") == 3 * len(spec.cells())
    assert "yet" not in page.text


def test_the_report_needs_neither_torch_nor_ray_nor_a_server() -> None:
    code = "import sys, study.report.report; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "ray", "mlflow", "matplotlib.pyplot"} & set(loaded)
