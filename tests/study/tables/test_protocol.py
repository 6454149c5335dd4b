import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from search_spaces import StudySpec
from study.record import TrialRecord
from study.storage.layout import open_layout
from study.tables.protocol import VALIDATION, protocol_hash, show_protocols
from study.tables.table import build_table
from trainables.fid import FIDProtocol

TEST = {"features": "classifier", "reference": "test", "reference_fingerprint": "f" * 64}
SEEN = TEST | {"reference": "validation"}


@pytest.fixture
def records(
    spec: StudySpec, synthetic_records: Callable[..., list[TrialRecord]]
) -> list[TrialRecord]:
    return [
        replace(
            record,
            attributes={VALIDATION: SEEN, "mlflow_run_id": f"run{i}"},
            test=record.test and replace(record.test, protocol=TEST),
        )
        for i, record in enumerate(synthetic_records(spec))
    ]


def shown(spec: StudySpec, records: list[TrialRecord], storage: Path) -> str:
    out = io.StringIO()
    layout = open_layout(storage, spec.name)
    show_protocols(layout, build_table(spec, records), records, Console(file=out, width=200))
    return out.getvalue()


def test_the_hash_is_that_of_the_evaluator() -> None:
    protocol = FIDProtocol(
        "classifier", "0" * 64, 8, "none", 17, "nearest level", 60, "test", 60, "1" * 64, 60, 100,
        3,
    )  # fmt: skip
    assert protocol_hash(protocol.as_dict()) == protocol.hash


def test_every_number_has_its_protocol_and_data(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    text = shown(spec, records, tmp_path)
    lines = [line for line in text.splitlines() if "  protocol " in line]
    for line in lines:
        expected = SEEN if "val_fid" in line else TEST
        assert f"protocol {protocol_hash(expected)[:12]}  data ffffffffffff" in line
    values = sum(r.value is not None for r in records)
    tested = sum(r.test is not None for r in records)
    in_runs = [line for line in lines if re.match(r"  run\d+ ", line)]
    assert len(in_runs) == values + 9 * tested
    assert f"sha256 {protocol_hash(TEST)}" in text
    assert "reference: validation" in text


def test_a_value_without_a_protocol_is_said_to_have_none(
    spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    old = [replace(record, attributes={}) for record in records]
    assert "protocol not recorded" in shown(spec, old, tmp_path)


def test_validation_protocols_do_not_mix_and_the_field_is_named(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    other = {VALIDATION: SEEN | {"features": "pixels"}}
    with pytest.raises(ValueError, match=r"validation FIDs of digits .* features is .*'pixels'"):
        build_table(spec, [*records[:-1], replace(records[-1], attributes=other)])
