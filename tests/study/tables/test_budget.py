from dataclasses import replace

from search_spaces import StudySpec
from study.tables.budget import failures
from study.tables.table import build_table
from tests.study.conftest import MakeRecords


def test_failures_are_told_by_kind(spec: StudySpec, synthetic_records: MakeRecords) -> None:
    first, second, *rest = synthetic_records(spec)
    attributes = {"failure": "diverged"}
    failed = [
        replace(first, state="FAIL", reason="rate is nan", attributes=attributes),
        replace(second, state="FAIL", reason="rate is nan", attributes={"failure": "exception"}),
    ]
    rows = failures(build_table(spec, [*failed, *rest])).texts()
    stratum = str(first.stratum)
    assert sorted(rows) == [
        ("diverged", "rate is nan", stratum, "search", "1"),
        ("exception", "rate is nan", stratum, "search", "1"),
    ]
