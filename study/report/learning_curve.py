"""Each trial over its epochs: the bound, and the FID at the rungs."""

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.record import TrialRecord
from study.report.palette import STYLE, add_legend, color_of, prior_handles
from study.report.panel import (
    bulk,
    measured_trials,
    pen_of,
    phase_handles,
    priors,
    scale_fid,
    small_multiples,
)
from study.tables.grid import Row, stratum_row
from study.tables.table import Table

_WARMUP_SHARE = 0.1


def curve_rows(table: Table) -> list[Row]:
    """Every trial's epochs: its bound and the parts of it, in nats per image."""
    return [
        {**stratum_row(cell.stratum), "phase": record.phase, "number": record.number,
         "epoch": m.epoch, "elbo": m.elbo, "rate": m.rate, "distortion": m.distortion}
        for cell, record in measured_trials(table)
        for m in record.measurements
    ]  # fmt: skip


def rung_rows(table: Table) -> list[Row]:
    """Every validation FID, and whether the trial was pruned there."""
    return [
        {**stratum_row(cell.stratum), "phase": record.phase, "number": record.number,
         "epoch": epoch, "val_fid": fid, "is_pruned": record.decisions.get(epoch, False)}
        for cell in table.cells
        for record in cell.trials
        for epoch, fid in _fid_curve(record).items()
    ]  # fmt: skip


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
