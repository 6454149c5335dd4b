"""Test FID by latent size and prior."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.report.palette import (
    REFERENCE_COLOR,
    STYLE,
    WIDTH,
    add_legend,
    color_of,
    marker_of,
    prior_handles,
)
from study.report.panel import priors, scale_fid
from study.tables.cell import Cell
from study.tables.grid import Row, stratum_row
from study.tables.table import Table
from study.text import fid_text


def fid_rows(table: Table) -> list[Row]:
    """Every seed's test FID, and that of its model before training."""
    return [
        {**stratum_row(cell.stratum), "number": record.number, "test_fid": record.test.test_fid,
         "untrained_fid": record.test.untrained_fid, "fid_noise": record.test.fid_noise}
        for cell in table.cells
        for record in cell.chosen
        if record.test is not None
    ]  # fmt: skip


@matplotlib.rc_context(STYLE)
def plot_fid(table: Table) -> Figure | None:
    """Test FID by latent size and prior: each seed, the mean and its standard deviation."""
    datasets = list(dict.fromkeys(cell.stratum.dataset for cell in table.cells if cell.tests))
    if not datasets:
        return None
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(1, len(datasets), squeeze=False)[0]
    for axes, dataset in zip(panels, datasets, strict=True):
        _draw_fid(axes, [cell for cell in table.cells if cell.stratum.dataset == dataset])
        axes.set_title(dataset)
    panels[0].set_ylabel("test FID (lower is better)")
    dashes = Line2D([], [], color=REFERENCE_COLOR, linestyle="--", label="untrained decoder")
    add_legend(figure, [*prior_handles(priors(table)), dashes])
    return figure


def _draw_fid(axes: Axes, cells: Sequence[Cell]) -> None:
    sizes = sorted({cell.stratum.latent_size for cell in cells})
    priors = list(dict.fromkeys(cell.stratum.prior for cell in cells))
    for cell in cells:
        shift = 0.22 * (priors.index(cell.stratum.prior) - (len(priors) - 1) / 2)
        _draw_seeds(axes, sizes.index(cell.stratum.latent_size) + shift, cell)
    references = [_draw_reference(axes, place, size, cells) for place, size in enumerate(sizes)]
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.set_xlabel("latent size (dimensions)")
    axes.grid(visible=False, axis="x")
    fids = [fid for cell in cells for fid in cell.test_fids]
    scale_fid(axes, [*fids, *(value for value in references if value is not None)])


def _draw_seeds(axes: Axes, place: float, cell: Cell) -> None:
    if cell.mean is None:
        return
    color, marker = color_of(cell.stratum.prior), marker_of(cell.stratum.prior)
    places = np.full(cell.num_seeds, place - 0.05)
    axes.scatter(places, cell.test_fids, s=20, marker=marker, color=color, alpha=0.45, lw=0)
    axes.errorbar(
        place, cell.mean, yerr=cell.standard_deviation,
        color=color, marker=marker, markersize=5, capsize=4, elinewidth=1.6,
    )  # fmt: skip
    top = cell.mean + (cell.standard_deviation or 0.0)
    axes.annotate(
        fid_text(cell.mean), (place, top), (0, 6), textcoords="offset points",
        ha="center", color=color, fontsize=9,
    )  # fmt: skip


def _draw_reference(axes: Axes, place: int, size: int, cells: Sequence[Cell]) -> float | None:
    values = [
        test.untrained_fid
        for cell in cells
        for test in cell.tests
        if cell.stratum.latent_size == size
    ]
    if not values:
        return None
    mean = float(np.mean(values))
    axes.hlines(mean, place - 0.5, place + 0.5, color=REFERENCE_COLOR, linestyle="--", lw=1.4)
    return mean
