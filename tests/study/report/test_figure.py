from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from search_spaces import StudySpec
from study.record import TrialRecord
from study.report.fid_plot import plot_fid
from study.report.learning_curve import plot_learning_curves, plot_rungs
from study.report.palette import PRIOR_COLORS, color_of
from study.report.rate_distortion import plot_rate_distortion
from study.report.sample_grid import plot_samples
from study.report.tuning import plot_tuning
from study.tables.table import Table, build_table

MakeRecords = Callable[..., list[TrialRecord]]
Plot = Callable[[Table], Figure | None]
PLOTS = [plot_fid, plot_learning_curves, plot_rungs, plot_rate_distortion, plot_tuning]


@pytest.fixture
def table(spec: StudySpec, synthetic_records: MakeRecords) -> Table:
    return build_table(spec, synthetic_records(spec))


def drawn(plot: Plot, table: Table) -> Figure:
    figure = plot(table)
    assert figure is not None
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    return figure


@pytest.mark.parametrize("plot", PLOTS)
def test_a_prior_has_the_same_colour_in_all_figures(plot: Plot, table: Table) -> None:
    figure = drawn(plot, table)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    colors = {
        text: to_hex(line.get_color())
        for text, line in zip(texts, figure.legends[0].get_lines(), strict=True)
    }
    assert colors.items() >= {p: c.lower() for p, c in PRIOR_COLORS.items()}.items()


def test_priors_differ_in_colour() -> None:
    assert len({color_of(prior) for prior in (*PRIOR_COLORS, "one that is yet to come")}) == 4


@pytest.mark.parametrize("plot", PLOTS)
def test_axes_are_named(plot: Plot, table: Table) -> None:
    figure = drawn(plot, table)
    assert all(axes.get_xlabel() for axes in figure.axes)
    assert figure.get_supylabel() or figure.axes[0].get_ylabel()


@pytest.mark.parametrize("plot", PLOTS)
def test_no_text_lies_on_another(plot: Plot, table: Table) -> None:
    figure = drawn(plot, table)
    boxes = [figure.legends[0].get_window_extent()]
    for axes in figure.axes:
        boxes += [axes.xaxis.label.get_window_extent()]
        boxes += [t.get_window_extent() for t in axes.texts]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(a.overlaps(b) for a, b in pairs)


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_is_drawn_of_a_study_that_has_not_begun(plot: Plot, spec: StudySpec) -> None:
    assert plot(build_table(spec, [])) is None


@pytest.mark.parametrize("plot", PLOTS)
def test_a_stratum_without_trials_leaves_the_others_drawn(
    plot: Plot, spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = [r for r in synthetic_records(spec, num_seeds=1) if r.stratum.latent_size == 8]
    figure = drawn(plot, build_table(spec, records))
    assert any(axes.has_data() for axes in figure.axes)


def test_a_diverged_trial_does_not_squash_the_others(
    spec: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = synthetic_records(spec)
    curve = tuple(replace(m, elbo=-1e6, distortion=1e6 - m.rate) for m in records[0].measurements)
    records[0] = replace(records[0], measurements=curve)
    table = build_table(spec, records)
    curves, tradeoff = drawn(plot_learning_curves, table), drawn(plot_rate_distortion, table)
    assert min(axes.get_ylim()[0] for axes in curves.axes) > -100
    assert max(axes.get_ylim()[1] for axes in tradeoff.axes) < 100


def test_sample_grids_are_drawn_where_they_exist_and_missed_where_not(
    spec: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    records = synthetic_records(spec, num_trials=1, num_seeds=1, folder=tmp_path)
    confirm = [r for r in records if r.phase == "confirm"]
    (tmp_path / str(confirm[0].folder) / "samples.png").unlink()
    (tmp_path / str(confirm[1].folder) / "samples.png").write_bytes(b"no image")
    table = build_table(spec, records)
    figure = plot_samples(table, tmp_path)
    assert figure is not None
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(texts) == ["no samples yet", "the file of samples cannot be read"]
    assert sum(len(axes.images) for axes in figure.axes) == len(spec.cells()) - 2


def test_no_grid_is_drawn_if_no_trial_left_one(table: Table, tmp_path: Path) -> None:
    assert plot_samples(table, tmp_path) is None
