"""How far each stratum was tuned: the best validation FID so far, by what the search had spent.

Curves follow the search trials in the order of their ends. A trial adds itself, its epochs and its
seconds when it ends, however it ends; the best so far is among COMPLETE trials, which alone may be
confirmed.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search_spaces import StudySpec
from study.record import TrialRecord
from study.report.palette import (
    STYLE,
    WIDTH,
    add_legend,
    color_of,
    marker_of,
    prior_handles,
)
from study.report.panel import priors, scale_fid
from study.tables.cell import Cell
from study.tables.grid import STRATUM, Grid, Row, fid, number, stratum_row
from study.tables.parameter import num_parameters
from study.tables.seed import unit_of
from study.tables.table import Table
from study.text import count_text, duration_text

_AXES = ("num_trials", "num_epochs", "seconds")
_TIMES = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def tuning(spec: StudySpec, table: Table, folder: Path) -> Grid:
    """What each stratum's search had to choose from, what it spent, and when it found its best.

    Args:
        spec: the study's question.
        table: its table.
        folder: its folder, to which the records' folders are relative.
    """
    return Grid(
        "tuning",
        "Equal tuning",
        "A prior with more fields to search, or more parameters, may need more trials to show what"
        " it can do: where the best validation FID was still falling at the end, more search might"
        " change the table. Parameters are those of the chosen config, with encoder and decoder,"
        " counted in the file of its weights; without that file they are unknown. Time is that of"
        f" training and evaluation, summed over trials that ran side by side.{_repeated(table)}",
        (
            *STRATUM, number("searched fields", "num_fields"),
            number("parameters", "num_parameters", count_text),
            number("of the prior", "num_prior_parameters", count_text),
            number("trials", "num_trials"), number("epochs", "num_epochs", count_text),
            number("time", "seconds", duration_text),
            fid("best after half the trials", "half_fid"), fid("best", "best_fid"),
            number("found by trial", "found_at"),
        ),
        [_row(spec, cell, folder) for cell in table.by_column() if cell.search],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def _repeated(table: Table) -> str:
    if unit_of(table.cells) == "seed":
        return ""
    return (
        " Trials, epochs and time are those of all repeats of the search, the FIDs are means over"
        " them, and the last column is the latest of them."
    )


def tuning_rows(table: Table) -> list[Row]:
    """The best validation FID so far after each search trial; None before one is COMPLETE."""
    return [
        {**stratum_row(cell.stratum), "repeat": repeat, **step}
        for cell in table.by_column()
        for repeat, search in enumerate(cell.searches)
        for step in _steps(search)
    ]


@matplotlib.rc_context(STYLE)
def plot_tuning(table: Table) -> Figure | None:
    """A line of panels for each data set and latent size: by trials, by epochs, by time."""
    rows = [row for row in tuning_rows(table) if row["best_fid"] is not None]
    columns = list(dict.fromkeys((row["dataset"], row["latent_size"]) for row in rows))
    if not columns:
        return None
    figure = Figure(figsize=(WIDTH, 0.9 + 2.4 * len(columns)), layout="constrained")
    grid = figure.subplots(len(columns), len(_AXES), squeeze=False, sharey="row")
    unit, unit_name = _unit(max(row["seconds"] for row in rows))
    labels = ("search trials that ended", "epochs trained", f"{unit_name} of trials")
    for (dataset, size), panels in zip(columns, grid, strict=True):
        own = [r for r in rows if (r["dataset"], r["latent_size"]) == (dataset, size)]
        for name, label, axes in zip(_AXES, labels, panels, strict=True):
            _draw(axes, own, name, unit if name == "seconds" else 1.0)
            axes.set_xlabel(label)
        panels[0].set_title(f"{dataset}, latent size {size}")
        scale_fid(panels[0], [row["best_fid"] for row in own])
    figure.supylabel("best validation FID so far (lower is better)", fontsize="medium")
    add_legend(figure, prior_handles(priors(table)))
    return figure


def _draw(axes: Axes, rows: Sequence[Row], name: str, unit: float) -> None:
    for key in dict.fromkeys((row["prior"], row["repeat"]) for row in rows):
        own = [row for row in rows if (row["prior"], row["repeat"]) == key]
        at, best = ([row[n] for row in own] for n in (name, "best_fid"))
        axes.step([value / unit for value in at], best, where="post", color=color_of(key[0]))
        axes.plot(at[-1] / unit, best[-1], color=color_of(key[0]), marker=marker_of(key[0]))
    axes.set_xlim(left=0)


def _row(spec: StudySpec, cell: Cell, folder: Path) -> Row:
    curves = [steps for search in cell.searches if (steps := _steps(search))]
    trial = cell.best_trial
    counted = num_parameters(folder / trial.folder) if trial and trial.folder else None
    return {
        **stratum_row(cell.stratum),
        "num_fields": len(spec.domains_of(cell.stratum)),
        "num_parameters": sum(counted.values()) if counted else None,
        "num_prior_parameters": counted.get("prior", 0) if counted else None,
        **{name: sum(steps[-1][name] for steps in curves) for name in _AXES},
        "half_fid": _mean([steps[(len(steps) - 1) // 2]["best_fid"] for steps in curves]),
        "best_fid": _mean([steps[-1]["best_fid"] for steps in curves]),
        "found_at": max((at for at in map(_found_at, curves) if at), default=None),
    }


def _steps(search: Cell) -> list[dict[str, Any]]:
    """One search's spending and best after each trial that ended."""
    ended = [record for record in search.search if record.state != "RUNNING"]
    best, epochs, seconds = None, 0, 0.0
    steps = []
    for place, record in enumerate(sorted(ended, key=_end), 1):
        epochs, seconds = epochs + record.cost.epochs, seconds + record.cost.seconds
        if record.state == "COMPLETE" and record.value is not None:
            best = record.value if best is None else min(best, record.value)
        steps.append(dict(zip((*_AXES, "best_fid"), (place, epochs, seconds, best), strict=True)))
    return steps


def _end(record: TrialRecord) -> tuple[float, int]:
    """When it ended; by number where the ledger does not know."""
    return (record.ended or 0.0, record.number)


def _found_at(steps: Sequence[Row]) -> int | None:
    """The trial that brought the best; None where none is COMPLETE."""
    best = steps[-1]["best_fid"]
    if best is None:
        return None
    return 1 + [step["best_fid"] for step in steps].index(best)


def _unit(seconds: float) -> tuple[float, str]:
    return next((unit, name) for unit, name in _TIMES if seconds >= 3 * unit or unit == 1.0)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
