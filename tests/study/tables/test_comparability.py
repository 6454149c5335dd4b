"""What is wrong with a study is said on its page, and the rest is delivered."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces import StudySpec
from study.record import TrialRecord, load_records
from study.report.caption import ReportFacts
from study.report.report import write_report
from study.storage.layout import ledger_url, make_folders, open_layout
from study.tables.comparability import sound_records
from tests.study.walk import Walk, small
from trainables.checkpoint import commit
from trainables.config import TrialConfig

MakeRecords = Callable[..., list[TrialRecord]]


def test_a_sound_study_has_nothing_to_say(spec: StudySpec, synthetic_records: MakeRecords) -> None:
    records = synthetic_records(spec)
    assert sound_records(records) == (records, [])


def test_a_test_of_another_protocol_is_left_out_and_its_field_named(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec)
    last = records[-1]
    assert last.test is not None
    test = replace(last.test, test_fid=9e9, protocol=last.test.protocol | {"num_samples": 7})
    records[-1] = replace(last, test=test)
    sound, (note,) = sound_records(records)
    assert "num_samples is 7 instead of 2000" in note
    assert f"confirm {last.stratum} #{last.number}" in note
    assert sum(r.test is not None for r in records) == 1 + sum(r.test is not None for r in sound)
    assert note in write_report(tmp_path, spec, records, ReportFacts("")).read_text()


def test_a_trial_judged_by_another_protocol_is_left_out(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = [
        replace(r, attributes={"val_protocol": {"resize": "none"}})
        for r in synthetic_records(spec)
    ]
    records[0] = replace(records[0], attributes={"val_protocol": {"resize": "bilinear"}})
    sound, (note,) = sound_records(records)
    assert sound == records[1:]
    assert "resize is 'bilinear' instead of 'none'" in note


def test_a_lost_history_is_named_and_the_rest_is_shown(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec)
    records[0] = replace(records[0], measurements=())
    page = write_report(tmp_path, spec, records, ReportFacts("")).read_text()
    assert "The history of 1 trial is missing or damaged" in page
    assert f"search {records[0].stratum} #0" in page


def test_one_seed_is_called_too_few(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec, num_seeds=1)
    page = write_report(tmp_path, spec, records, ReportFacts(""))
    assert "with one seed the spread is unknown" in page.read_text()
    assert "one seed is not enough" in (page.parent / "tables" / "comparisons.md").read_text()


@pytest.mark.parametrize("damage", ["missing", "torn", "changed"])
def test_a_damaged_history_file_costs_its_own_trial_only(tmp_path: Path, damage: str) -> None:
    spec = small("name=broken")
    layout = open_layout(tmp_path, spec.name)
    make_folders(layout)
    layout.save_spec(spec)
    walk = Walk(spec, ledger_url(layout))
    walk.run_until(lambda suggestion: suggestion.phase == "test")
    for trial in walk.ledger.facts().trials:
        folder = layout.study.joinpath(
            "trials", trial.phase, str(trial.stratum), str(trial.number), "1", "epoch-000008"
        )
        folder.mkdir(parents=True)
        epochs = range(1, max(trial.rungs, default=8) + 1)
        (folder / "history.json").write_text(json.dumps([_epoch(epoch) for epoch in epochs]))
        (folder / "weights.safetensors").write_text("weights")
        commit(folder, epochs[-1], TrialConfig.model_validate(trial.config))
        (folder / "weights.safetensors").write_text("damaged weights matter to no report")
    sound, notes = sound_records(load_records(tmp_path, spec.name))
    assert notes == []
    first = next(layout.study.glob("trials/search/**/history.json"))
    match damage:
        case "missing":
            first.unlink()
        case "torn":
            first.write_bytes(first.read_bytes()[:40])
        case "changed":
            first.write_text(first.read_text().replace("3.5", "3.6"))
    records = load_records(tmp_path, spec.name)
    damaged, notes = sound_records(records)
    assert [len(r.measurements) for r in damaged].count(0) == 1
    assert len(damaged) == len(sound)
    assert "The history of 1 trial is missing or damaged" in notes[0]
    assert all(record.cost.epochs > 0 for record in records)


def _epoch(epoch: int) -> dict[str, float]:
    return {
        "epoch": epoch, "rate": 3.5, "distortion": 2.0, "train_rate": 3.5, "elbo": -5.5,
        "train_distortion": 2.0, "kl_weight": 1.0, "seconds": 0.1,
    }  # fmt: skip
