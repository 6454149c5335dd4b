import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import t

from search_spaces import Stratum, StudySpec, load_space
from study.record import TestResult, TrialRecord
from study.report.summary import answer
from study.tables.paper import TABLE1, paper_fid
from study.tables.result import results
from study.tables.seed import fid_of_seeds, values_of
from study.tables.table import Table, build_table, render_table

MakeRecords = Callable[..., list[TrialRecord]]


@pytest.fixture
def records(spec: StudySpec, synthetic_records: MakeRecords) -> list[TrialRecord]:
    return synthetic_records(spec)


def rendered(table: Table) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(render_table(table))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_means_and_deviations_equal_numpys(spec: StudySpec, records: list[TrialRecord]) -> None:
    for cell in build_table(spec, records).cells:
        own = [r for r in records if r.stratum == cell.stratum]
        fids = [r.test.test_fid for r in own if r.test is not None]
        elbos = [max(m.elbo for m in r.measurements) for r in own if r.phase == "confirm"]
        assert cell.test_fids == tuple(fids)
        assert cell.mean == pytest.approx(np.mean(fids))
        assert cell.standard_deviation == pytest.approx(np.std(fids, ddof=1))
        assert cell.best_elbo == pytest.approx(np.mean(elbos))


def test_nothing_spent_is_lost_or_counted_twice(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    table = build_table(spec, records)
    assert sum(cell.epochs for cell in table.cells) == sum(r.cost.epochs for r in records)
    assert sum(cell.seconds for cell in table.cells) == pytest.approx(
        sum(r.cost.seconds for r in records)
    )
    for cell in table.cells:
        parts = (cell.num_complete, cell.num_pruned, cell.num_failed, cell.num_running)
        assert sum(parts) == len(cell.search)


def test_the_order_of_records_changes_no_number(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    one, other = build_table(spec, records), build_table(spec, records[::-1])
    for a, b in zip(one.cells, other.cells, strict=True):
        assert a.mean == pytest.approx(b.mean)
        assert (a.stratum, a.num_seeds, a.status) == (b.stratum, b.num_seeds, b.status)


def test_one_seed_has_a_mean_and_no_deviation(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    for cell in build_table(spec, synthetic_records(spec, num_seeds=1)).cells:
        assert cell.mean == cell.test_fids[0]
        assert cell.standard_deviation is None


def test_an_empty_stratum_is_shown_and_listed_with_its_reason(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    lost = spec.cells()[0]
    records = [
        replace(r, state="FAIL", value=None, test=None) if r.stratum == lost else r
        for r in records
        if r.stratum != lost or r.phase == "search"
    ]
    table = build_table(spec, records)
    assert [cell.stratum for cell in table.empty_cells] == [lost]
    assert table.empty_cells[0].status == "no complete trial"
    assert table.is_finished
    assert "no complete" in rendered(table)
    assert f"Without a value: {lost} (no complete trial)." in answer(table)


def test_every_cell_of_a_study_that_has_not_begun_is_empty(spec: StudySpec) -> None:
    table = build_table(spec, [])
    assert [cell.stratum for cell in table.empty_cells] == spec.cells()
    assert {cell.status for cell in table.cells} == {"not started"}
    assert not table.is_finished
    assert not any(table.is_best(cell) for cell in table.cells)


@pytest.mark.parametrize("field", ["num_samples", "reference"])
def test_protocols_do_not_mix_and_the_field_is_named(
    spec: StudySpec, records: list[TrialRecord], field: str
) -> None:
    last = records[-1]
    assert last.test is not None
    protocol = last.test.protocol | {field: "another"}
    records[-1] = replace(last, test=replace(last.test, protocol=protocol))
    with pytest.raises(ValueError, match=f"{field} is .* 'another'"):
        build_table(spec, records)


def test_a_test_of_an_earlier_version_has_no_parts_and_still_counts() -> None:
    old = TestResult(**{"test_fid": 9.0, "untrained_fid": 90.0, "protocol": {}})
    assert old.prior_hole is None
    assert old.metrics() == {"test_fid": 9.0}
    assert replace(old, aggregate_fid=4.0).metrics()["prior_hole"] == 5.0


def test_the_best_of_a_column_has_its_lowest_mean(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    table = build_table(spec, records)
    for column in table.columns().values():
        best = [cell for cell in column if table.is_best(cell)]
        assert [cell.mean for cell in best] == [min(cell.mean or np.inf for cell in column)]


def test_the_config_with_the_best_validation_mean_stands_for_its_stratum(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    stratum = spec.cells()[0]
    confirmed = [replace(r, test=None) for r in records if r.phase == "confirm"]
    worse = [
        replace(r, config=r.config | {"max_epochs": 7}, number=r.number + 10, value=1e4)
        for r in confirmed
        if r.stratum == stratum
    ]
    search = [r for r in records if r.phase == "search"]
    cell = build_table(spec, [*search, *worse, *confirmed]).cells[0]
    assert [r.number for r in cell.chosen] == [0, 1, 2]


def test_a_running_trial_keeps_the_study_unfinished(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    assert build_table(spec, records).is_finished
    records[0] = replace(records[0], state="RUNNING", value=None)
    table = build_table(spec, records)
    assert not table.is_finished
    assert table.cells[0].num_running == 1
    assert "not finished" in answer(table)[0]


def test_seeds_that_failed_are_told_beside_the_fid(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    stratum = spec.cells()[0]
    failed = seed_of(records, stratum, 2, state="FAIL", value=None, test=None)
    cell = build_table(spec, failed).cells[0]
    assert fid_of_seeds(cell).endswith("(2 of 3 seeds)")
    assert fid_of_seeds(cell) in results(build_table(spec, failed), []).texts()[0]
    text = rendered(build_table(spec, failed))
    assert "(2 of" in text
    assert "3 seeds)" in text
    assert "seeds)" not in fid_of_seeds(build_table(spec, records).cells[0])


@pytest.mark.parametrize(("failure", "text"), [("diverged", "(3 of 4 seeds)"), ("lost", "±")])
def test_a_seed_that_diverged_is_told_though_another_took_its_place(
    spec: StudySpec, records: list[TrialRecord], failure: str, text: str
) -> None:
    stratum = spec.cells()[0]
    kept = seed_of(records, stratum, 2, attributes={"retry_of": 9})
    again = next(r for r in kept if "retry_of" in r.attributes)
    first = replace(
        again, number=9, state="FAIL", value=None, test=None, attributes={"failure": failure}
    )
    cell = build_table(spec, [*kept, first]).cells[0]
    assert cell.num_seeds == 3
    assert text in fid_of_seeds(cell)
    assert ("seeds)" in fid_of_seeds(cell)) == (failure == "diverged")


def seed_of(
    records: list[TrialRecord], stratum: Stratum, number: int, **changes: Any
) -> list[TrialRecord]:
    """The records with one confirm trial changed."""
    place = ("confirm", stratum, number)
    return [
        replace(r, **changes) if (r.phase, r.stratum, r.number) == place else r for r in records
    ]


def test_a_cell_of_repeats_has_one_value_for_each(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    repeats = build_table(spec, records).cells[:3]
    cell = replace(repeats[0], repeats=repeats)
    assert cell.test_fids == tuple(repeat.mean for repeat in repeats)
    assert values_of(cell, "kid") == (pytest.approx(0.1),) * 3
    spread = float(np.std(cell.test_fids, ddof=1))
    assert cell.standard_deviation == pytest.approx(spread)
    caption = results(replace(build_table(spec, records), cells=(cell,)), []).caption
    assert "standard deviation over repeats" in caption
    low, high = cell.interval or (0, 0)
    assert high - low == pytest.approx(2 * t.isf(0.025, 2) * spread / np.sqrt(3))


def test_variants_stay_out_of_the_cells(spec: StudySpec, records: list[TrialRecord]) -> None:
    spec = spec.model_copy(update={"variants": {"flat": {}}})
    extra = [
        replace(r, attributes={"variant": "flat"}, test=TestResult(1.0, 2.0, r.test.protocol))
        for r in records
        if r.test is not None
    ]
    table = build_table(spec, [*records, *extra])
    assert all(cell.mean != 1.0 for cell in table.cells)
    assert all(cell.mean == 1.0 for cell in table.variants)


def test_a_space_without_search_has_its_strata_or_its_variants(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    budget = spec.budget.model_copy(update={"trials_per_stratum": 0})
    plain = spec.model_copy(update={"budget": budget})
    confirmed = [r for r in records if r.phase == "confirm"]
    table = build_table(plain, confirmed)
    assert table.is_finished
    assert not table.empty_cells
    table = build_table(plain.model_copy(update={"variants": {"flat": {}}}), [])
    assert (len(table.cells), len(table.variants)) == (0, len(spec.cells()))
    assert not table.is_finished


def test_the_terminal_shows_all_of_the_table_in_80_columns(synthetic_records: MakeRecords) -> None:
    spec = load_space("table1", ["budget.max_epochs=20", "budget.trials_per_stratum=3"])
    text = rendered(build_table(spec, synthetic_records(spec)))
    assert "…" not in text
    for dataset, by_prior in TABLE1.items():
        assert dataset in text
        for prior, by_size in by_prior.items():
            assert prior in text
            assert all(f"{value:.1f}" in text for value in by_size.values() if value >= 100)


def test_the_paper_speaks_only_of_its_own_cells(spec: StudySpec) -> None:
    assert all(paper_fid(stratum) is None for stratum in spec.cells())
    assert all(paper_fid(stratum) is not None for stratum in load_space("table1").cells())


def test_no_lead_is_claimed_from_one_seed(spec: StudySpec, synthetic_records: MakeRecords) -> None:
    text = " ".join(answer(build_table(spec, synthetic_records(spec, num_seeds=1))))
    assert "the spread is unknown" in text
    assert "Whether a lead is more than chance" in text
