"""Each searched field against the FID that its trials reached, within each prior."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from search_spaces import Choice, StudySpec
from study.report.palette import STYLE, WIDTH, color_of
from study.report.panel import scale_fid
from study.tables.grid import Row, stratum_row
from study.tables.searched_field import field_name, field_of
from study.tables.table import Table
from study.text import value_text

_MOST_LETTERS = 18  # that fit side by side below a panel
_LOOKS = ("o", "s", "^", "D", "v", "P")
_Panel = tuple[str, str, str]


def marginal_rows(spec: StudySpec, table: Table) -> list[Row]:
    """Every complete search trial by searched field: its value, and its FID to the best's."""
    rows: list[Row] = []
    for cell in table.cells:
        ended = [(r, r.value) for r in cell.search if r.state == "COMPLETE" and r.value]
        best = min((value for _, value in ended), default=0.0)
        rows += [
            {**stratum_row(cell.stratum), "number": record.number, "field": path,
             "value": field_of(record, path), "val_fid": value, "relative_fid": value / best}
            for path in spec.domains_of(cell.stratum)
            for record, value in ended
        ]  # fmt: skip
    return rows


@matplotlib.rc_context(STYLE)
def plot_marginals(spec: StudySpec, table: Table) -> Figure | None:
    """A row of panels for each data set and prior, one for each searched field."""
    panels: dict[_Panel, list[Row]] = {}
    for row in marginal_rows(spec, table):
        panels.setdefault((row["dataset"], row["prior"], row["field"]), []).append(row)
    if not panels:
        return None
    lines = list(dict.fromkeys((dataset, prior) for dataset, prior, _ in panels))
    fields = {line: [f for *own, f in panels if tuple(own) == line] for line in lines}
    num_columns = max(3, *map(len, fields.values()))
    figure = Figure(figsize=(WIDTH, 2.7 * len(lines) + 0.5), layout="constrained")
    grid = figure.subplots(len(lines), num_columns, squeeze=False)
    sizes = sorted({cell.stratum.latent_size for cell in table.cells})
    for line, axes_of_line in zip(lines, grid, strict=True):
        for axes, path in zip(axes_of_line, fields[line], strict=False):
            _draw(axes, spec, path, panels[*line, path], sizes)
        for axes in axes_of_line[len(fields[line]) :]:
            axes.remove()
        axes_of_line[0].set_ylabel("FID ÷ best of its stratum")
        axes_of_line[0].set_title(": ".join(line), color=color_of(line[1]))
    _add_sizes(figure, sizes)
    return figure


def _draw(
    axes: Axes, spec: StudySpec, path: str, rows: Sequence[Row], sizes: Sequence[int]
) -> None:
    domain = spec.domains.get("all", {}).get(path) or spec.domains[rows[0]["prior"]][path]
    values = list(domain.values) if isinstance(domain, Choice) else []
    color = color_of(rows[0]["prior"])
    for place, size in enumerate(sizes):
        own = [row for row in rows if row["latent_size"] == size]
        shift = 0.16 * (place - (len(sizes) - 1) / 2)
        at = [values.index(r["value"]) + shift if values else r["value"] for r in own]
        axes.scatter(
            at, [row["relative_fid"] for row in own], color=color, marker=_LOOKS[place % 6],
            s=22, alpha=0.6, linewidths=0,
        )  # fmt: skip
    if isinstance(domain, Choice):
        _name_values(axes, rows, values, color)
    elif domain.is_logarithmic:
        _scale_values(axes, domain.low, domain.high)
    scale_fid(axes, [row["relative_fid"] for row in rows])
    axes.set_xlabel(field_name(path))


def _name_values(axes: Axes, rows: Sequence[Row], values: Sequence[Any], color: str) -> None:
    """The values of a choice by name, with a bar at the median of each."""
    names = [value_text(value) for value in values]
    slant = 25 if sum(map(len, names)) > _MOST_LETTERS else 0
    axes.set_xticks(range(len(values)), names, rotation=slant)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.grid(visible=False, axis="x")
    for place, value in enumerate(values):
        own = [row["relative_fid"] for row in rows if row["value"] == value]
        if own:
            axes.hlines(float(np.median(own)), place - 0.32, place + 0.32, color=color, lw=2)


def _scale_values(axes: Axes, low: float, high: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(low * 0.9, high * 1.1)
    subs = (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _add_sizes(figure: Figure, sizes: Sequence[int]) -> None:
    look: dict[str, Any] = {"color": "black", "linestyle": "", "markersize": 5, "alpha": 0.6}
    handles = [
        Line2D([], [], marker=_LOOKS[place % 6], label=f"latent size {size}", **look)
        for place, size in enumerate(sizes)
    ]
    bar = Line2D([], [], color="black", lw=2, label="median of a choice")
    figure.legend(handles=[*handles, bar], loc="outside lower center", ncols=len(handles) + 1)
