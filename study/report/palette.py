"""How every figure looks: one colour and one marker for a prior, everywhere.

Colours are Okabe & Ito's, which colour-blind readers tell apart; markers differ as well.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

PRIOR_COLORS = {"gaussian": "#0072B2", "flow": "#D55E00", "diffusion": "#009E73"}
PRIOR_MARKERS = {"gaussian": "o", "flow": "s", "diffusion": "^"}
REFERENCE_COLOR = "#555555"
WIDTH = 10.4
STYLE: Any = {  # matplotlib types every name of a setting
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#888888",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "image.cmap": "gray",
}
_OTHER_COLOR, _OTHER_MARKER = "#CC79A7", "D"


def color_of(prior: str) -> str:
    """The colour of a prior in every figure."""
    return PRIOR_COLORS.get(prior, _OTHER_COLOR)


def marker_of(prior: str) -> str:
    """The marker of a prior in every figure."""
    return PRIOR_MARKERS.get(prior, _OTHER_MARKER)


def prior_handles(priors: Iterable[str]) -> list[Line2D]:
    """A legend entry for each prior."""
    return [
        Line2D([], [], color=color_of(prior), marker=marker_of(prior), markersize=6, label=prior)
        for prior in priors
    ]


def add_legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """One legend for all panels, below them, where it covers nothing."""
    figure.legend(handles=list(handles), loc="outside lower center", ncols=len(handles))
