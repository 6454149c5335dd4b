"""What each prior draws, side by side: the sample grids that the trials left as PNG files."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from study.report.palette import STYLE, WIDTH, color_of
from study.tables.cell import Cell
from study.tables.grid import Row, stratum_row
from study.tables.table import Table

FILE_NAME = "samples.png"


@matplotlib.rc_context(STYLE)
def plot_samples(table: Table, folder: Path) -> Figure | None:
    """One grid a stratum, priors across, data sets and latent sizes down.

    Args:
        table: the study's table.
        folder: the study's folder, below which the trials' folders lie.

    Returns:
        The figure, or None if no trial has left a grid.
    """
    if not any(sample_file(cell, folder) for cell in table.cells):
        return None
    rows = table.columns()
    num_columns = max(len(cells) for cells in rows.values())
    height = WIDTH / max(num_columns, 3) + 0.25
    figure = Figure(figsize=(WIDTH, height * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), num_columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, cells in zip(grid, rows.values(), strict=True):
        for axes, cell in zip(row, cells, strict=False):
            _draw_grid(axes, cell, folder)
    return figure


def sample_rows(table: Table, folder: Path) -> list[Row]:
    """The file of each grid, relative to the study's folder."""
    found = [(cell, sample_file(cell, folder)) for cell in table.cells]
    return [
        {**stratum_row(cell.stratum), "file": path.relative_to(folder).as_posix()}
        for cell, path in found
        if path is not None
    ]


def sample_file(cell: Cell, folder: Path) -> Path | None:
    """The grid of the trial that stands for the cell, or of its first peer that left one."""
    best = () if cell.best_trial is None else (cell.best_trial,)
    trials = (*best, *cell.chosen)
    paths = [folder / trial.folder / FILE_NAME for trial in trials if trial.folder is not None]
    return next((path for path in paths if path.is_file()), None)


def _draw_grid(axes: Axes, cell: Cell, folder: Path) -> None:
    stratum = cell.stratum
    title = f"{stratum.dataset}, latent size {stratum.latent_size}: {stratum.prior}"
    axes.set_title(title, color=color_of(stratum.prior))
    path = sample_file(cell, folder)
    try:
        if path is None:
            raise FileNotFoundError
        image = imread(path)
    except FileNotFoundError:
        _write(axes, "no samples yet")
    except (OSError, SyntaxError, ValueError):
        _write(axes, "the file of samples cannot be read")
    else:
        axes.imshow(image, interpolation="nearest")


def _write(axes: Axes, text: str) -> None:
    axes.set_aspect("equal")
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#777777", transform=axes.transAxes)
