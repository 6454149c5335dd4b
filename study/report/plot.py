"""The figures of a report, drawn from a table; each is None where it has nothing to show."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from study.number import fid_text
from study.record import TrialRecord
from study.report.cell import Cell, best_measurement
from study.report.palette import (
    REFERENCE_COLOR,
    STYLE,
    WIDTH,
    add_legend,
    color_of,
    marker_of,
    prior_handles,
)
from study.report.panel import (
    bulk,
    measured_trials,
    pen_of,
    phase_handles,
    priors,
    scale_fid,
    small_multiples,
)
from study.report.table import Table

_WARMUP_SHARE = 0.1


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


@matplotlib.rc_context(STYLE)
def plot_learning_curves(table: Table) -> Figure | None:
    """Validation ELBO by epoch, or what stands in its place; confirm strong, search faint."""
    trials = list(measured_trials(table))
    if not trials:
        return None
    has_bound = all(record.measurements[-1].elbo is not None for _, record in trials)
    name = "validation ELBO" if has_bound else "-(rate + distortion), no bound"
    figure, panels = small_multiples(
        table, 3.0, "epoch", f"{name}\n(nats per image, higher is better)"
    )
    for cell, record in trials:
        axes = panels[cell.stratum.dataset, cell.stratum.latent_size]
        epochs = [measurement.epoch for measurement in record.measurements]
        elbos = [-measurement.loss for measurement in record.measurements]
        axes.plot(epochs, elbos, **pen_of(cell.stratum.prior, record))
    for dataset in {dataset for dataset, _ in panels}:
        limits = bulk(_settled_elbos(table, dataset))
        for axes in (axes for (name, _), axes in panels.items() if name == dataset):
            axes.set_ylim(limits)
    add_legend(figure, [*prior_handles(priors(table)), *phase_handles()])
    return figure


def _settled_elbos(table: Table, dataset: str) -> list[float]:
    """The bounds of a data set's trials after their first epochs."""
    records = [
        record for cell, record in measured_trials(table) if cell.stratum.dataset == dataset
    ]
    last = max((record.measurements[-1].epoch for record in records), default=0)
    return [
        -measurement.loss
        for record in records
        for measurement in record.measurements
        if measurement.epoch > _WARMUP_SHARE * last
    ]


@matplotlib.rc_context(STYLE)
def plot_rungs(table: Table) -> Figure | None:
    """Validation FID where it was measured, by epoch; a cross marks a pruned trial's end."""
    curves = [(cell, record, _fid_curve(record)) for cell in table.cells for record in cell.trials]
    curves = [curve for curve in curves if curve[2]]
    if not curves:
        return None
    figure, panels = small_multiples(table, 3.0, "epoch", "validation FID (lower is better)")
    for cell, record, curve in curves:
        axes = panels[cell.stratum.dataset, cell.stratum.latent_size]
        pen = pen_of(cell.stratum.prior, record)
        axes.plot(list(curve), list(curve.values()), marker=".", **pen)
        if record.state == "PRUNED":
            axes.plot(*max(curve.items()), marker="x", color=color_of(cell.stratum.prior))
    fids = [fid for *_, curve in curves for fid in curve.values()]
    for axes in panels.values():
        scale_fid(axes, fids)
    cross = Line2D([], [], color="black", marker="x", linestyle="", label="pruned")
    add_legend(figure, [*prior_handles(priors(table)), *phase_handles(), cross])
    return figure


def _fid_curve(record: TrialRecord) -> dict[int, float]:
    measured = {m.epoch: m.val_fid for m in record.measurements if m.val_fid is not None}
    return dict(sorted((record.rungs | measured).items()))


@matplotlib.rc_context(STYLE)
def plot_rate_distortion(table: Table) -> Figure | None:
    """Rate against distortion of each trial at its best ELBO; grey lines share an ELBO."""
    if not any(measured_trials(table)):
        return None
    figure, panels = small_multiples(
        table, 3.4, "rate (nats per image)", "distortion (nats per image)", sharey=False
    )
    for cell, record in measured_trials(table):
        axes = panels[cell.stratum.dataset, cell.stratum.latent_size]
        best = best_measurement(record)
        is_confirm = record.phase == "confirm"
        axes.scatter(
            best.rate, best.distortion, s=49 if is_confirm else 20, linewidths=0,
            alpha=0.95 if is_confirm else 0.35,
            color=color_of(cell.stratum.prior), marker=marker_of(cell.stratum.prior),
        )  # fmt: skip
    for key, axes in panels.items():
        _limit_to_bulk(axes, table.columns()[key])
        _draw_equal_elbos(axes)
    add_legend(figure, [*prior_handles(priors(table)), *_mark_handles()])
    return figure


def _mark_handles() -> list[Line2D]:
    look: dict[str, Any] = {"color": "black", "marker": "D", "linestyle": ""}
    return [
        Line2D([], [], markersize=6.5, label="confirm", **look),
        Line2D([], [], markersize=4, alpha=0.35, label="search", **look),
    ]


def _limit_to_bulk(axes: Axes, cells: Sequence[Cell]) -> None:
    """Limits around the bulk of the trials; a diverged rate or distortion is a large one."""
    trials = [trial for cell in cells for trial in cell.trials if trial.measurements]
    best = [best_measurement(trial) for trial in trials]
    right, left = bulk([-measurement.rate for measurement in best])
    top, bottom = bulk([-measurement.distortion for measurement in best])
    axes.set(xlim=(-left, -right), ylim=(-bottom, -top))


def _draw_equal_elbos(axes: Axes) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for total in MaxNLocator(6).tick_values(left + bottom, right + top):
        axes.axline((left, total - left), slope=-1, color="#cccccc", lw=0.8, zorder=0.5)
    axes.grid(visible=False)
