"""Records say of every confirm trial which criteria it stands for."""

from pathlib import Path

import pytest

from search_spaces import StudySpec, space_of_revision
from study.record import TrialRecord, load_records
from study.storage.layout import Layout, ledger_url, open_layout
from study.tables.table import build_table
from tests.study.walk import Walk, small

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def begun(spec: StudySpec, folder: Path) -> Layout:
    layout = open_layout(folder, spec.name)
    layout.study.mkdir(parents=True)
    layout.save_spec(spec)
    return layout


def walked(spec: StudySpec, folder: Path, until: str | None = None) -> list[TrialRecord]:
    """The records of a study without training, to its end or to the first trial of a phase."""
    layout = begun(spec, folder)
    walk = Walk(spec, ledger_url(layout))
    if until:
        walk.run_until(lambda suggestion: suggestion.phase == until)
    else:
        walk.run()
    return load_records(folder, spec.name)


def confirmed(records: list[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.phase == "confirm"]


def test_what_is_tested_is_what_a_criterion_chose(tmp_path: Path) -> None:
    spec = small("confirm.num_configs=2", "confirm.by=fid,elbo", "search.num_repeats=2")
    records = walked(spec, tmp_path)
    for record in confirmed(records):
        chosen_by = record.attributes["chosen_by"]
        assert (record.test is not None) == bool(chosen_by)
        assert set(chosen_by) <= {"fid", "elbo"}
    table = build_table(spec, records)
    assert table.is_finished
    for cell in table.selections:
        assert cell.num_values == 2
        for part in cell.repeats:
            assert len(part.chosen) == part.num_values == spec.confirm.num_seeds
            assert all(cell.selection in r.attributes["chosen_by"] for r in part.chosen)


def test_a_config_without_rivals_is_chosen_before_it_is_tested(tmp_path: Path) -> None:
    """By each criterion that has it as its only candidate."""
    records = walked(small("confirm.by=fid,elbo"), tmp_path, until="test")
    for record in confirmed(records):
        assert record.test is None
        assert record.attributes["chosen_by"]


def test_nothing_is_chosen_before_all_seeds_have_ended(tmp_path: Path) -> None:
    spec = small("confirm.num_configs=2", "strata.prior=gaussian")
    layout = begun(spec, tmp_path)
    walk = Walk(spec, ledger_url(layout))
    walk.run_until(lambda s: s.phase == "confirm" and s.number == 3)
    records = load_records(tmp_path, spec.name)
    assert [r.attributes["chosen_by"] for r in confirmed(records)] == [[]] * 4
    (cell,) = build_table(spec, records).cells
    assert (cell.chosen, cell.status) == ((), "choosing a config: 3 of 4 seeds ended")


def test_an_earlier_version_chose_by_fid(tmp_path: Path) -> None:
    spec = space_of_revision(small("confirm.num_configs=2"), 1)
    for record in confirmed(walked(spec, tmp_path)):
        assert record.attributes["chosen_by"] == (["fid"] if record.test else [])


def test_nothing_chose_a_variant(tmp_path: Path) -> None:
    spec = small("budget.trials_per_stratum=0", "variants.warm.kl_annealing.kind=linear",
                 "variants.cold.kl_annealing.kind=none")  # fmt: skip
    records = confirmed(walked(spec, tmp_path))
    assert {record.attributes["variant"] for record in records} == {"warm", "cold"}
    assert all(record.test and "chosen_by" not in record.attributes for record in records)


def test_a_retest_is_told_of_the_config_that_it_was_for(tmp_path: Path) -> None:
    spec = small("budget.trials_per_stratum=2")
    layout = begun(spec, tmp_path)
    walk = Walk(spec, ledger_url(layout))
    walk.run()
    walk.spec = small("budget.trials_per_stratum=15")
    layout.save_spec(walk.spec)
    walk.restart()
    walk.run()
    stratum = next(iter(walk.ledger.rivals()))
    walk.ledger.retest(str(stratum), "too narrow")
    walk.run()
    records = confirmed(load_records(tmp_path, spec.name))
    own = [r for r in records if r.stratum == stratum and r.test]
    told = {tuple(r.attributes["chosen_by"]): r.attributes.get("retests") for r in own}
    assert told == {(): None, ("fid",): ["too narrow"]}
