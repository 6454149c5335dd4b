from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import ttest_ind

from search_spaces import StudySpec
from study.record import TrialRecord
from study.report.caption import ReportFacts
from study.report.report import write_report
from study.tables.study_comparison import Other, against
from study.tables.table import build_table
from trainables.error import InputError

MakeRecords = Callable[..., list[TrialRecord]]


def moved(records: list[TrialRecord], by: float, **protocol: object) -> list[TrialRecord]:
    """The same study with other test FIDs."""
    return [
        replace(r, test=r.test and replace(
            r.test, test_fid=r.test.test_fid + by, protocol=r.test.protocol | protocol
        ))
        for r in records
    ]  # fmt: skip


def test_each_stratum_has_the_difference_with_welchs_interval(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = synthetic_records(spec)
    table, second = build_table(spec, records), build_table(spec, moved(records, 12.0))
    for row, cell in zip(
        against("a", table, Other("b", second)).rows, table.by_column(), strict=True
    ):
        test = ttest_ind(cell.test_fids, [fid + 12 for fid in cell.test_fids], equal_var=False)
        interval = test.confidence_interval(0.95)
        assert row["difference"] == pytest.approx(-12)
        assert row["difference_low"] == pytest.approx(interval.low)
        assert row["difference_high"] == pytest.approx(interval.high)
        assert row["adjusted_p"] >= test.pvalue
        assert row["verdict"] == "lower"


def test_a_stratum_of_one_study_alone_is_shown_with_what_there_is(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    table = build_table(spec, synthetic_records(spec))
    axes = spec.strata.model_copy(update={"latent_size": (8, 32)})
    other = spec.model_copy(update={"strata": axes})
    grid = against("a", table, Other("b", build_table(other, synthetic_records(other))))
    sizes = {row["latent_size"]: row for row in grid.rows}
    assert set(sizes) == {8, 16, 32}
    assert sizes[16]["other_test_fid"] is None
    assert sizes[32]["test_fid"] is None
    assert sizes[16]["difference"] is sizes[32]["difference"] is None


def test_the_second_study_stands_on_the_page(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec)
    other = Other("elsewhere", build_table(spec, moved(records, 3.0)))
    page = write_report(tmp_path, spec, records, ReportFacts(""), other)
    assert "digits against elsewhere" in page.read_text()
    assert (page.parent / "tables" / "against.csv").is_file()


def test_two_protocols_are_refused_with_the_field_and_nothing_is_written(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec)
    other = Other("elsewhere", build_table(spec, moved(records, 0.0, num_samples=500)))
    with pytest.raises(InputError, match="num_samples is 2000 in digits, but 500 in elsewhere"):
        write_report(tmp_path, spec, records, ReportFacts(""), other)
    assert not list(tmp_path.iterdir())


def test_two_studies_without_a_common_stratum_are_refused(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    axes = spec.strata.model_copy(update={"latent_size": (32,)})
    other = Other("far", build_table(spec.model_copy(update={"strata": axes}), []))
    with pytest.raises(InputError, match="digits and far have no stratum in common"):
        write_report(tmp_path, spec, synthetic_records(spec), ReportFacts(""), other)
