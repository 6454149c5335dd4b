import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from search_spaces import StudySpec, load_space
from study.record import TrialRecord
from study.report.caption import ReportFacts
from study.report.report import write_report
from study.tables.grid import Grid, number, word
from study.tables.grid_file import WRITERS, csv_text, latex_text, markdown_text, parquet_bytes

ROWS = [
    {"name": "a|b & 50 %", "value": 0.1 + 0.2, "list": [1.5, 2.0], "mixed": "none"},
    {"name": "line\nbreak", "value": None, "list": [], "mixed": 3},
]
GRID = Grid(
    "an_example", "Title", "A caption, 95 %.", (word("name"), number("value")), ROWS,
    strong="value", provenance="Made by hand.",
)  # fmt: skip


def test_csv_and_parquet_keep_every_digit() -> None:
    read = list(csv.DictReader(io.StringIO(csv_text(ROWS))))
    assert float(read[0]["value"]) == 0.1 + 0.2
    assert read[1]["value"] == ""
    assert read[0]["list"] == "1.5 2.0"
    columns = parquet.read_table(io.BytesIO(parquet_bytes(ROWS))).to_pydict()
    assert columns["value"] == [0.1 + 0.2, None]
    assert columns["list"] == [[1.5, 2.0], []]
    assert columns["mixed"] == ["none", "3"]


def test_no_text_breaks_out_of_its_markdown_cell() -> None:
    lines = markdown_text(GRID).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert {line.replace("\\|", "").count("|") for line in lines} == {3}
    assert lines[2].startswith("| **a\\|b")


def test_no_text_breaks_out_of_its_latex_cell() -> None:
    text = latex_text(GRID)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(ROWS)
    assert {line.replace(r"\&", "").count("&") for line in rows} == {1}
    assert r"a|b \& 50 \%" in text
    assert r"\caption{Title. A caption, 95 \%. Made by hand.}" in text


def test_files_that_stand_alone_say_how_they_were_made() -> None:
    for ending in ("md", "tex"):
        assert "Made by hand." in WRITERS[ending](GRID).decode()


@pytest.mark.parametrize("space", ["digits", "table1"])
def test_every_table_is_there_in_every_format_with_the_same_rows(
    space: str, synthetic_records: Callable[..., list[TrialRecord]], tmp_path: Path
) -> None:
    spec = load_space(space, ["budget.max_epochs=20", "budget.trials_per_stratum=3"])
    folder = write_report(tmp_path, spec, synthetic_records(spec), ReportFacts("0123abc")).parent
    names = {path.stem for path in (folder / "tables").iterdir()}
    assert names >= {"table", "comparisons", "best_configs", "budget", "waste", "tuning"}
    for name in names:
        with (folder / "tables" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert parquet.read_table(folder / "tables" / f"{name}.parquet").num_rows == len(rows) > 0
        text = (folder / "tables" / f"{name}.md").read_text()
        assert len([line for line in text.splitlines() if line.startswith("| ")]) == len(rows) + 2
        assert r"\end{table}" in (folder / "tables" / f"{name}.tex").read_text()
    assert "0123abc" in (folder / "tables" / "table.tex").read_text()


def test_a_table_without_rows_any_more_leaves_no_file(
    spec: StudySpec, synthetic_records: Callable[..., list[TrialRecord]], tmp_path: Path
) -> None:
    facts = ReportFacts("0123abc")
    folder = write_report(tmp_path, spec, synthetic_records(spec), facts).parent
    assert (folder / "tables" / "fid_parts.csv").is_file()
    write_report(tmp_path, spec, [], facts)
    assert not (folder / "tables" / "fid_parts.csv").exists()
    assert not list((folder / "plots").iterdir())


def test_every_plot_lies_beside_what_it_shows(
    spec: StudySpec, synthetic_records: Callable[..., list[TrialRecord]], tmp_path: Path
) -> None:
    records = synthetic_records(spec, folder=tmp_path)
    folder = write_report(tmp_path, spec, records, ReportFacts("")).parent / "plots"
    names = {path.stem for path in folder.iterdir()}
    assert names == {
        "fid", "learning_curves", "rung_curves", "tuning_curves", "marginals", "rate_distortion",
        "samples",
    }  # fmt: skip
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "learning_curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(record.measurements) for record in records)
    assert float(rows[0]["elbo"]) == records[0].measurements[0].elbo
