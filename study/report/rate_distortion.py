"""Rate against distortion, with the trials that no other beats in both."""

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from study.record import TrialRecord
from study.report.palette import STYLE, add_legend, color_of, marker_of, prior_handles
from study.report.panel import measured_trials, middle, priors, small_multiples
from study.tables.cell import Cell, best_measurement
from study.tables.grid import Row, stratum_row
from study.tables.table import Table

Point = tuple[float, float]


def tradeoff_rows(table: Table) -> list[Row]:
    """Every trial at its best bound, in nats per image, and whether it lies on the front."""
    return [
        {**stratum_row(cell.stratum), "phase": record.phase, "number": record.number,
         "rate": point[0], "distortion": point[1], "is_on_front": point in front}
        for column in table.columns().values()
        for front in [set(pareto_front([point for *_, point in _points(column)]))]
        for cell, record, point in _points(column)
    ]  # fmt: skip


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that no other equals or beats in both numbers, by the first of them.

    >>> pareto_front([(1, 5), (2, 3), (3, 4), (4, 1)])
    [(1, 5), (2, 3), (4, 1)]
    """
    front: list[Point] = []
    for point in sorted(set(points)):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front


def _points(column: Sequence[Cell]) -> list[tuple[Cell, TrialRecord, Point]]:
    return [
        (cell, record, (best.rate, best.distortion))
        for cell in column
        for record in cell.trials
        if record.measurements
        for best in [best_measurement(record)]
    ]


@matplotlib.rc_context(STYLE)
def plot_rate_distortion(table: Table) -> Figure | None:
    """Rate against distortion of each trial at its best ELBO; grey lines share an ELBO."""
    if not any(measured_trials(table)):
        return None
    figure, panels = small_multiples(
        table, 3.4, "rate (nats per image)", "distortion (nats per image)", sharey=False
    )
    for phase in ("search", "confirm"):
        for cell in table.cells:
            own = [point for _, record, point in _points([cell]) if record.phase == phase]
            axes = panels[cell.stratum.dataset, cell.stratum.latent_size]
            _draw_points(axes, own, cell.stratum.prior, is_confirm=phase == "confirm")
    for key, axes in panels.items():
        points = [point for *_, point in _points(table.columns()[key])]
        if points:
            _limit_to_bulk(axes, points)
        front = pareto_front(points)
        axes.step([r for r, _ in front], [d for _, d in front], where="post", color="black", lw=1)
        _draw_equal_elbos(axes)
    add_legend(figure, [*prior_handles(priors(table)), *_mark_handles()])
    return figure


def _draw_points(axes: Axes, points: Sequence[Point], prior: str, *, is_confirm: bool) -> None:
    axes.scatter(
        [rate for rate, _ in points], [distortion for _, distortion in points],
        s=49 if is_confirm else 20, linewidths=0, alpha=0.95 if is_confirm else 0.35,
        color=color_of(prior), marker=marker_of(prior),
    )  # fmt: skip


def _mark_handles() -> list[Line2D]:
    look: dict[str, Any] = {"color": "black", "marker": "D", "linestyle": ""}
    return [
        Line2D([], [], markersize=6.5, label="confirm", **look),
        Line2D([], [], markersize=4, alpha=0.35, label="search", **look),
        Line2D([], [], color="black", lw=1, label="Pareto front"),
    ]


def _limit_to_bulk(axes: Axes, points: Sequence[Point]) -> None:
    """A collapsed trial has next to no rate, a diverged one a large one; neither squashes all."""
    rates, distortions = zip(*points, strict=True)
    axes.set(xlim=middle(rates), ylim=middle(distortions))


def _draw_equal_elbos(axes: Axes) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for total in MaxNLocator(6).tick_values(left + bottom, right + top):
        axes.axline((left, total - left), slope=-1, color="#cccccc", lw=0.8, zorder=0.5)
    axes.grid(visible=False)
