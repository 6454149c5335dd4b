"""Cells of searches that were repeated: their numbers are over repeats, not over all seeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student_t

from search_spaces import StudySpec, load_space
from study.record import TrialRecord
from study.report.report import write_report
from study.report.summary import answer
from study.tables.claim import compared
from study.tables.rung_correlation import lost_winners
from study.tables.table import build_table, render_table
from tests.study.report.test_report import FACTS

MakeRecords = Callable[..., list[TrialRecord]]


@pytest.fixture(scope="module")
def spec() -> StudySpec:
    return load_space("digits_repeated")


@pytest.fixture(scope="module")
def records(spec: StudySpec, synthetic_records: MakeRecords) -> list[TrialRecord]:
    return synthetic_records(spec)


def test_a_cell_has_one_value_a_repeat(spec: StudySpec, records: list[TrialRecord]) -> None:
    for cell in build_table(spec, records).cells:
        assert [part.stratum for part in cell.repeats] == [
            replace(cell.stratum, repeat=number) for number in range(5)
        ]
        means = []
        for part in cell.repeats:
            own = [r for r in records if r.stratum == part.stratum and r.phase == "confirm"]
            assert part.test_fids == tuple(r.test.test_fid for r in own if r.test)
            assert part.num_values == 3
            means.append(np.mean(part.test_fids))
        assert cell.test_fids == tuple(means)
        assert (cell.num_values, cell.num_seeds, cell.unit) == (5, 5, "repeat")
        assert cell.mean == pytest.approx(np.mean(means))
        deviation = np.std(means, ddof=1)
        assert cell.standard_deviation == pytest.approx(deviation)
        assert cell.interval is not None
        half = student_t.isf(0.025, 4) * deviation / np.sqrt(5)
        assert cell.interval == pytest.approx((np.mean(means) - half, np.mean(means) + half))


def test_every_number_of_a_cell_is_the_mean_over_repeats(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    """One repeat has one seed only: it weighs as much as the others."""
    lost = [r for r in records if r.stratum.repeat == 2 and r.phase == "confirm" and r.number]
    records = [r for r in records if r not in lost]
    for cell in build_table(spec, records).cells:
        for name in ("mean", "val_fid", "best_elbo", "untrained_fid"):
            parts = [getattr(part, name) for part in cell.repeats]
            assert getattr(cell, name) == pytest.approx(np.mean(parts))
        holes = [part.mean_part("prior_hole") for part in cell.repeats]
        assert cell.mean_part("prior_hole") == pytest.approx(np.mean([h or 0.0 for h in holes]))
        assert len(cell.best_elbos) == 5


def test_nothing_of_a_repeat_is_lost_or_counted_twice(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    table = build_table(spec, records)
    assert sum(cell.epochs for cell in table.cells) == sum(r.cost.epochs for r in records)
    assert sum(len(cell.trials) for cell in table.cells) == len(records)


def test_cells_are_compared_over_repeats(spec: StudySpec, records: list[TrialRecord]) -> None:
    first, second, _ = build_table(spec, records).cells
    (pair,) = compared([(first, second)])
    assert pair.comparison is not None
    assert pair.comparison.freedom <= 5 + 5 - 2


def test_a_cell_says_how_many_repeats_are_done(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    table = build_table(spec, records)
    assert {cell.status for cell in table.cells} == {"done"}
    assert {cell.status for cell in build_table(spec, []).cells} == {"not started"}
    early = [r for r in records if r.stratum.repeat < 3]
    table = build_table(spec, early)
    assert {cell.status for cell in table.cells} == {"3 of 5 repeats done"}
    assert not table.is_finished
    empty = [
        replace(r, state="FAIL", test=None, value=None) if r.stratum.repeat == 4 else r
        for r in records
    ]
    table = build_table(spec, empty)
    assert {cell.status for cell in table.cells} == {"5 of 5 repeats done, 1 without a value"}
    assert table.is_finished
    assert not table.empty_cells
    assert {cell.num_values for cell in table.cells} == {4}


def test_the_answer_counts_repeats(spec: StudySpec, records: list[TrialRecord]) -> None:
    assert "over 5 repeats, ahead of" in " ".join(answer(build_table(spec, records)))


def test_without_repeats_nothing_changes(spec: StudySpec, records: list[TrialRecord]) -> None:
    once = spec.model_copy(update={"search": load_space("digits").search})
    table = build_table(once, [r for r in records if r.stratum.repeat == 0])
    for cell, repeated in zip(table.cells, build_table(spec, records).cells, strict=True):
        assert cell == repeated.repeats[0]
        assert (cell.repeats, cell.searches, cell.unit) == ((), (cell,), "seed")
        assert cell.num_values == cell.num_seeds == 3


def test_a_control_trial_is_held_against_its_own_search(
    spec: StudySpec, records: list[TrialRecord]
) -> None:
    """In each repeat the same trials are control, and the same would stop."""
    marked = [replace(r, attributes={"control": r.number in (0, 1)}) for r in records]
    first = [replace(r, stratum=replace(r.stratum, repeat=0)) for r in marked
             if r.stratum.repeat == 0]  # fmt: skip
    copies = [replace(r, stratum=replace(r.stratum, repeat=n)) for n in range(5) for r in first]
    once = spec.model_copy(update={"search": load_space("digits").search})
    alone = lost_winners(once, build_table(once, first)).rows
    together = lost_winners(spec, build_table(spec, copies)).rows
    for one, five in zip(alone, together, strict=True):
        for name in ("num_control", "num_stopped", "num_lost"):
            assert five[name] == 5 * one[name]


def test_a_report_of_repeats_can_be_written(
    spec: StudySpec, records: list[TrialRecord], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("study")
    page = write_report(folder, spec, records, FACTS)
    assert "over 5 repeats" in page.read_text()


def test_the_terminal_counts_repeats(spec: StudySpec, records: list[TrialRecord]) -> None:
    view = render_table(build_table(spec, records))
    assert "repeats" in view.headers
    assert "seeds" not in view.headers
    assert "over repeats" in view.caption
