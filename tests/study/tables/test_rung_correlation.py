from collections.abc import Callable
from dataclasses import replace

import pytest
from scipy.stats import spearmanr

from search_spaces import Stratum, StudySpec
from study.record import Cost, TrialRecord
from study.tables.budget import waste
from study.tables.collapse import collapse
from study.tables.rung_correlation import lost_winners, rung_correlations
from study.tables.table import build_table
from trainables.measurement import Collapse

MakeRecords = Callable[..., list[TrialRecord]]
EARLY, END = (30.0, 50.0, 40.0, 90.0), (20.0, 10.0, 25.0, 60.0)


def controls(stratum: Stratum) -> list[TrialRecord]:
    """Four control trials; the second is the best at the end, and the third best at the rung."""
    return [
        TrialRecord(
            "search", stratum, number, {"max_epochs": 30}, (), "COMPLETE", "", Cost(30, 3.0),
            rungs={5: early, 10: early, 20: early, 30: end}, value=end,
            attributes={"control": True},
        )
        for number, (early, end) in enumerate(zip(EARLY, END, strict=True))
    ]  # fmt: skip


def test_rungs_are_held_against_the_end_by_rank(spec: StudySpec) -> None:
    table = build_table(spec, controls(spec.cells()[0]))
    row = rung_correlations(spec, table).rows[0]
    assert row["rung"] == 5
    assert row["rho_control"] == pytest.approx(spearmanr(EARLY, END).statistic)


def test_two_control_trials_have_no_correlation(spec: StudySpec) -> None:
    table = build_table(spec, controls(spec.cells()[0])[:2])
    assert rung_correlations(spec, table).rows[0]["rho_control"] is None


def test_a_winner_outside_the_best_half_at_a_rung_would_have_been_lost(spec: StudySpec) -> None:
    records = controls(spec.cells()[0])
    (row,) = lost_winners(spec, build_table(spec, records)).rows
    assert (row["num_control"], row["num_stopped"], row["num_lost"]) == (4, 2, 1)
    good = [replace(records[1], rungs={5: 1.0, 10: 1.0, 20: 1.0, 30: 10.0})]
    (row,) = lost_winners(spec, build_table(spec, [records[0], *good, *records[2:]])).rows
    assert row["num_lost"] == 0


def test_no_epoch_of_a_pruned_or_failed_trial_is_uncounted(spec: StudySpec) -> None:
    first, second, third, fourth = controls(spec.cells()[0])
    records = [
        first, replace(second, state="PRUNED", cost=Cost(5, 1.0)),
        replace(third, state="FAIL", cost=Cost(7, 2.0), attributes={"attempt": 3}), fourth,
    ]  # fmt: skip
    (row,) = waste(build_table(spec, records)).rows
    assert (row["epochs_search"], row["epochs_pruned"], row["epochs_failed"]) == (72, 5, 7)
    assert row["epochs_saved"] == 25
    assert row["num_repeats"] == 2
    assert (row["seconds_pruned"], row["seconds_failed"]) == (1.0, 2.0)


def test_collapse_is_the_mean_over_the_seeds(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = []
    for record in synthetic_records(spec):
        known = Collapse(record.number, 4.0, 5.9, False, 1.5)
        curve = (*record.measurements[:-1], replace(record.measurements[-1], collapse=known))
        records.append(replace(record, measurements=curve))
    rows = collapse(spec, build_table(spec, records)).rows
    assert len(rows) == len(spec.cells())
    assert {row["active_units"] for row in rows} == {1.0}  # of the confirm trials 0, 1 and 2
    assert not collapse(spec, build_table(spec, synthetic_records(spec))).rows


@pytest.mark.parametrize("num_saturated", [0, 1])
def test_a_gap_is_not_shown_where_the_information_is_at_its_ceiling(
    spec: StudySpec, synthetic_records: MakeRecords, num_saturated: int
) -> None:
    records = []
    for record in synthetic_records(spec):
        known = Collapse(3, 5.8, 5.9, record.number < num_saturated, 1.5)
        curve = (*record.measurements[:-1], replace(record.measurements[-1], collapse=known))
        records.append(replace(record, measurements=curve))
    grid = collapse(spec, build_table(spec, records))
    assert {row["aggregate_gap"] for row in grid.rows} == {None if num_saturated else 1.5}
    shown = {text[grid.headers.index("gap")] for text in grid.texts()}
    assert shown == {"–" if num_saturated else "1.50"}
    assert "at its ceiling" in grid.caption


def test_active_units_are_explained_as_the_study_counted_them(spec: StudySpec) -> None:
    stored = spec.model_copy(update={"revision": 1})
    assert "no rescaling of z changes" in collapse(spec, build_table(spec, [])).caption
    assert "depends on the scale" in collapse(stored, build_table(stored, [])).caption
