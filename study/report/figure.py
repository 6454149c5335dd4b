"""Every figure of a report: how it is drawn, what it shows as rows, and how it is read."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from search_spaces import StudySpec
from study.report.fid_plot import fid_rows, plot_fid
from study.report.learning_curve import curve_rows, plot_learning_curves, plot_rungs, rung_rows
from study.report.marginal import marginal_rows, plot_marginals
from study.report.rate_distortion import plot_rate_distortion, tradeoff_rows
from study.report.sample_grid import plot_samples, sample_rows
from study.report.tuning import plot_tuning, tuning_rows
from study.tables.grid import Row
from study.tables.table import Table

_OF_SEARCH = ("tuning_curves", "marginals")  # nothing to wait for in a study without one
_DPI = 200  # two pixels for one on the page


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page, or the sentence that stands in its place.

    Attributes:
        name: its files' name.
        title: its heading.
        caption: how to read it, in one or two sentences.
        missing: what is said where there is nothing to draw.
        png: the image, or None.
        rows: what it shows.
    """

    name: str
    title: str
    caption: str
    missing: str
    png: bytes | None
    rows: Sequence[Row]

    @property
    def source(self) -> str | None:
        """The image as a data URI."""
        if self.png is None:
            return None
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def draw_pictures(spec: StudySpec, table: Table, folder: Path) -> list[Picture]:
    """All figures of a study.

    Args:
        spec: its question.
        table: its table.
        folder: its folder, to which the records' folders are relative.
    """
    makers: dict[str, tuple[_Draw, _Rows]] = {
        "fid": (plot_fid, fid_rows),
        "learning_curves": (plot_learning_curves, curve_rows),
        "rung_curves": (plot_rungs, rung_rows),
        "tuning_curves": (plot_tuning, tuning_rows),
        "marginals": (partial(plot_marginals, spec), partial(marginal_rows, spec)),
        "rate_distortion": (plot_rate_distortion, tradeoff_rows),
        "samples": (partial(plot_samples, folder=folder), partial(sample_rows, folder=folder)),
    }
    return [
        Picture(name, *_WORDS[name], _png(draw(table)), rows(table))
        for name, (draw, rows) in makers.items()
        if spec.budget.trials_per_stratum or name not in _OF_SEARCH
    ]


_Draw = Callable[[Table], Figure | None]
_Rows = Callable[[Table], list[Row]]
_WORDS = {
    "fid": (
        "Test FID by latent size and prior",
        "Lower is better. Small marks are single seeds, or repeats where the search has some,"
        " large marks their means with the standard deviation over them; the dashed line is the"
        " same model before training. Where values span a wide range the axis is logarithmic.",
        "No trial has a test FID yet.",
    ),
    "learning_curves": (
        "Learning curves",
        "Validation ELBO after each epoch: a curve that ends higher fits the images better. Strong"
        " lines are confirm seeds, faint ones search trials, which may end early at a rung; the"
        " first epochs and diverged trials may lie below the panel.",
        "No trial has finished an epoch yet.",
    ),
    "rung_curves": (
        "Validation FID at the rungs",
        "Lower is better. Each line is a trial, with a dot where its FID was measured; a line that"
        " ends in a cross was stopped there because its peers were ahead.",
        "No trial has reached a rung yet.",
    ),
    "tuning_curves": (
        "The best so far by what was spent",
        "Best validation FID among the complete search trials of a stratum, in the order in which"
        " its trials ended; lower is better. Pruned and failed trials move a curve to the right. A"
        " curve that still falls at its end might have gone on falling.",
        "No search trial is complete yet.",
    ),
    "marginals": (
        "What the searched fields do",
        "Each mark is a complete search trial: the value of one field against its validation FID"
        " over the best of its stratum, so 1 is the best and lower is better. The other fields"
        " vary along, and pruned trials are missing.",
        "No trial with a searched field is complete yet.",
    ),
    "rate_distortion": (
        "Rate against distortion",
        "Each mark is a trial at its best validation ELBO, large for confirm seeds and small for"
        " search trials. Grey lines join points of equal ELBO; towards the lower left it is"
        " higher, and along a line a prior buys less distortion with more rate. On the black front"
        " lie the trials that no other beats in both; a collapsed or diverged one may lie beyond"
        " the panel.",
        "No trial has finished an epoch yet.",
    ),
    "samples": (
        "Samples",
        "Images decoded from draws of each prior, from one confirm seed of the stratum's best"
        " config (or its best search trial, where none is confirmed yet); not hand-picked.",
        "No trial has left a grid of samples yet.",
    ),
}


def _png(figure: Figure | None) -> bytes | None:
    if figure is None:
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
