"""What a test FID owes to luck: to the search, to the training seed, to the draw of its samples.

    y_rs = μ + search_r + seed_rs + draw_rs         repeat r, seed s;  N values of R repeats
    MS_within  = Σ_rs (y_rs - ȳ_r)² / (N - R)       expectation  seed² + draw²
    MS_between = Σ_r n_r (ȳ_r - ȳ)² / (R - 1)       expectation  seed² + draw² + n_0 search²
    n_0 = (N - Σ_r n_r² / N) / (R - 1)
    draw²   = mean of the squared deviations over draws of each seed's samples
    seed²   = MS_within - draw²
    search² = (MS_between - MS_within) / n_0

A random-effects analysis of variance, nested and maybe unbalanced (Searle, Casella & McCulloch
1992, ch. 3). The estimates are unbiased, so those of a small component may be negative.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from study.tables.cell import Cell
from study.tables.grid import STRATUM, Grid, Row, fid, number, stratum_row
from study.tables.seed import tests_of
from study.tables.table import Table
from study.text import fid_text


class Components(NamedTuple):
    """Variances of a test FID by their source; estimates, which may lie below 0."""

    search: float
    seed: float
    draw: float


def luck(table: Table) -> Grid:
    """The deviations of each cell whose search was repeated."""
    return Grid(
        "luck",
        "The luck of the search",
        "The variance of a test FID split by its sources, as standard deviations in FID: between"
        " repeats of the whole search, between training seeds of one config, and between draws of"
        " samples from one model. The parts are estimated from few repeats, so they are rough; one"
        " that came out negative is 0. Intervals and tests in this report are over repeats, and so"
        " hold all three.",
        (
            *STRATUM, fid("test FID", "test_fid"), number("search", text=fid_text),
            number("training seed", "seed", fid_text), number("samples", "draw", fid_text),
            number("repeats", "num_repeats"), number("seeds", "num_tested"),
        ),
        [row for cell in table.by_column() if (row := _row(cell))],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def components(repeats: Sequence[Sequence[float]], noises: Sequence[float]) -> Components | None:
    """The variances of values in repeats; None where they cannot be separated.

    Args:
        repeats: the test FIDs of each, one for each seed.
        noises: standard deviations over draws of one model's samples.
    """
    groups = [np.asarray(values) for values in repeats if len(values)]
    sizes = np.array([len(values) for values in groups])
    num_values, num_repeats = int(sizes.sum()), len(groups)
    if num_repeats < 2 or num_values == num_repeats or not noises:
        return None
    within = sum(((y - y.mean()) ** 2).sum() for y in groups) / (num_values - num_repeats)
    means = np.array([y.mean() for y in groups])
    grand = float(sizes @ means) / num_values
    between = float(sizes @ (means - grand) ** 2) / (num_repeats - 1)
    per_repeat = (num_values - float(sizes @ sizes) / num_values) / (num_repeats - 1)
    draw = float(np.mean(np.square(noises)))
    return Components((between - float(within)) / per_repeat, float(within) - draw, draw)


def _row(cell: Cell) -> Row | None:
    if not cell.repeats:
        return None
    tests = list(tests_of(cell))
    noises = [test.fid_noise for test in tests if test.fid_noise is not None]
    found = components([repeat.test_fids for repeat in cell.repeats], noises)
    deviations = [math.sqrt(max(0.0, part)) for part in found] if found else [None] * 3
    return {
        **stratum_row(cell.stratum),
        "test_fid": cell.mean,
        **dict(zip(Components._fields, deviations, strict=True)),
        "num_repeats": len(cell.test_fids),
        "num_tested": len(tests),
    }
