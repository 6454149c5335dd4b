"""Small multiples: a panel for each data set and latent size, and what is drawn in them alike."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from study.record import TrialRecord
from study.report.palette import WIDTH, color_of
from study.tables.cell import Cell
from study.tables.table import Table

Panels = dict[tuple[str, int], Axes]


def small_multiples(
    table: Table, height: float, xlabel: str, ylabel: str, sharey: bool = True
) -> tuple[Figure, Panels]:
    """A panel for each data set (down) and latent size (across), heights in inches."""
    keys = list(table.columns())
    datasets = list(dict.fromkeys(dataset for dataset, _ in keys))
    sizes = sorted({size for _, size in keys})
    layout = ConstrainedLayoutEngine(h_pad=0.1)
    figure = Figure(figsize=(WIDTH, 0.9 + height * len(datasets)), layout=layout)
    grid = figure.subplots(
        len(datasets), len(sizes), squeeze=False, sharey="row" if sharey else False
    )
    panels = {key: grid[datasets.index(key[0])][sizes.index(key[1])] for key in keys}
    for (dataset, size), axes in panels.items():
        axes.set_title(f"{dataset}, latent size {size}")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    figure.supylabel(ylabel, fontsize="medium")
    return figure, panels


def measured_trials(table: Table) -> Iterator[tuple[Cell, TrialRecord]]:
    """Every trial with a finished epoch, search before confirm so that confirm lies on top."""
    for cell in table.cells:
        yield from ((cell, record) for record in cell.search if record.measurements)
    for cell in table.cells:
        yield from ((cell, record) for record in cell.confirm if record.measurements)


def pen_of(prior: str, record: TrialRecord) -> dict[str, Any]:
    """How the line of a trial looks: confirm strong, search faint."""
    is_confirm = record.phase == "confirm"
    return {
        "color": color_of(prior), "lw": 1.8 if is_confirm else 0.9,
        "alpha": 1.0 if is_confirm else 0.3,
    }  # fmt: skip


def phase_handles() -> list[Line2D]:
    """Legend entries for the two looks of `pen_of`."""
    return [
        Line2D([], [], color="black", lw=1.8, label="confirm"),
        Line2D([], [], color="black", lw=0.9, alpha=0.35, label="search"),
    ]


def priors(table: Table) -> list[str]:
    """The priors of the study, in the order of the space."""
    return list(dict.fromkeys(cell.stratum.prior for cell in table.cells))


def bulk(values: Sequence[float]) -> tuple[float, float]:
    """Limits around the bulk of the values: what diverged or just began does not squash it.

    >>> low, high = bulk([-1e6, -16.0, -15.0, -14.0, -12.0, -11.0])
    >>> -40 < low < -16 and high > -11
    True
    """
    if not values:
        return 0.0, 1.0
    lowest, median, high = min(values), float(np.median(values)), max(values)
    low = max(lowest, high - 5 * (high - median))
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def middle(values: Sequence[float]) -> tuple[float, float]:
    """Limits around the middle of the values, with whatever is not far from it on either side.

    >>> low, high = middle([0.1, 19.0, 20.0, 21.0, 22.0, 23.0, 400.0])
    >>> 5 < low < 19 and 23 < high < 40
    True
    """
    lower, upper = map(float, np.percentile(values, [25, 75]))
    reach = 3 * (upper - lower)
    low, high = max(min(values), lower - reach), min(max(values), upper + reach)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def scale_fid(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where the values span more than a factor of three."""
    if min(values) <= 0 or max(values) < 3 * min(values):
        return
    axes.set_yscale("log")
    span = max(values) / min(values)
    subs = (1.0, 2.0, 3.0, 5.0, 7.0) if span < 30 else (1.0, 2.0, 5.0) if span < 1000 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
