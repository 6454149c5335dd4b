"""The best so far against what a search has spent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from safetensors.numpy import save_file

from search_spaces import StudySpec, load_space
from study.ledger.phase import State
from study.record import Cost, TrialRecord
from study.report.tuning import plot_tuning, tuning, tuning_rows
from study.tables.parameter import WEIGHTS
from study.tables.table import build_table

MakeRecords = Callable[..., list[TrialRecord]]
SPEC = load_space("digits", ["strata.prior=flow", "strata.latent_size=8"])
(FLOW,) = SPEC.cells()


def trial(number: int, state: State, value: float | None, ended: float | None) -> TrialRecord:
    cost = Cost(10 * (number + 1), 2.0)
    return TrialRecord(
        "search", FLOW, number, {}, (), state, "", cost, value=value, folder=f"trials/{number}",
        ended=ended,
    )  # fmt: skip


# Number 2 ends first; number 3 is pruned with a FID that no complete trial has.
TRIALS = [
    trial(0, "COMPLETE", 30.0, 40.0), trial(1, "FAIL", None, 20.0),
    trial(2, "COMPLETE", 50.0, 10.0), trial(3, "PRUNED", 5.0, 30.0),
    trial(4, "COMPLETE", 35.0, 50.0), trial(5, "RUNNING", None, None),
]  # fmt: skip


def test_trials_count_in_the_order_of_their_ends_and_the_best_is_a_complete_one() -> None:
    rows = tuning_rows(build_table(SPEC, TRIALS))
    assert [row["best_fid"] for row in rows] == [50.0, 50.0, 50.0, 30.0, 30.0]
    assert [row["num_trials"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["num_epochs"] for row in rows] == [30, 50, 90, 100, 150]
    assert [row["seconds"] for row in rows] == [2.0, 4.0, 6.0, 8.0, 10.0]


def test_without_times_they_count_by_number() -> None:
    untimed = [replace(record, ended=None) for record in TRIALS]
    rows = tuning_rows(build_table(SPEC, untimed[::-1]))
    assert [row["best_fid"] for row in rows] == [30.0] * 5


def test_the_table_says_what_there_was_to_search_and_when_the_best_was_found(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "trials" / "0"
    folder.mkdir(parents=True)
    weights = {"encoder.weight": np.zeros((3, 4)), "prior.weight": np.zeros(5)}
    save_file(weights | {"prior.flow.base.loc": np.zeros(7)}, folder / WEIGHTS)
    (row,) = tuning(SPEC, build_table(SPEC, TRIALS), tmp_path).rows
    assert row["num_fields"] == len(SPEC.domains_of(FLOW)) == 3
    assert (row["num_parameters"], row["num_prior_parameters"]) == (17, 5)
    assert (row["num_trials"], row["num_epochs"], row["seconds"]) == (5, 150, 10.0)
    assert (row["half_fid"], row["best_fid"], row["found_at"]) == (50.0, 30.0, 4)


def test_without_weights_and_a_complete_trial_little_is_known(tmp_path: Path) -> None:
    grid = tuning(SPEC, build_table(SPEC, TRIALS[1:2]), tmp_path)
    (row,) = grid.rows
    assert row["num_parameters"] is row["best_fid"] is row["found_at"] is None
    assert "–" in grid.texts()[0]


def test_repeats_have_a_curve_each_and_one_row(tmp_path: Path) -> None:
    table = build_table(SPEC, TRIALS)
    first = build_table(SPEC, TRIALS[:3]).cells[0]
    cell = replace(table.cells[0], repeats=(table.cells[0], first))
    both = replace(table, cells=(cell,))
    assert {row["repeat"] for row in tuning_rows(both)} == {0, 1}
    (row,) = tuning(SPEC, both, tmp_path).rows
    assert (row["num_trials"], row["found_at"]) == (8, 4)
    assert row["half_fid"] == pytest.approx(50.0)


def test_three_panels_for_each_column_show_every_prior(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    table = build_table(spec, synthetic_records(spec))
    figure = plot_tuning(table)
    assert figure is not None
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    assert len(figure.axes) == 3 * len(table.columns())
    assert all(len(axes.get_lines()) == 2 * 3 for axes in figure.axes)
    labels = [axes.get_xlabel() for axes in figure.axes[-3:]]
    assert labels == ["search trials that ended", "epochs trained", "seconds of trials"]
    assert plot_tuning(build_table(spec, [])) is None
