"""Whether the latents are used: active units, information, and the gap to the prior."""

from collections.abc import Sequence

import numpy as np

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.cell import Cell, best_measurement
from study.tables.grid import STRATUM, Column, Grid, Row, number, stratum_row
from study.tables.table import Table
from study.text import MISSING, nats_text
from trainables.measurement import Collapse


def collapse(spec: StudySpec, table: Table) -> Grid:
    """The collapse diagnostics of each stratum's config, as means over its seeds."""
    return Grid(
        "collapse",
        "Are the latents used?",
        "Means over confirm seeds (or the search's best trial), on validation images, at the last"
        " epoch with a FID. Active units are dimensions of z that tell images apart,"
        f" {_rule(spec)}; few of them mean collapse. The information I(x; z) is in nats and"
        " cannot exceed its ceiling, the log of the number of images; ≥ where it is near it. The"
        " gap is the rate minus the information: how far the aggregate posterior is from the"
        f" prior, in nats, as an upper bound; lower is better. It is {MISSING} where the"
        " information of a seed is at its ceiling, since the gap would then show the ceiling and"
        " not the prior.",
        (
            *STRATUM, Column("active units", ("active_units", "latent_size"), _units_text),
            number("rate", text=nats_text), number("distortion", text=nats_text),
            Column("information", ("mutual_information", "is_saturated"), _information_text),
            number("ceiling", text=nats_text), number("gap", "aggregate_gap", nats_text),
            number("seeds", "num_seeds"),
        ),
        [row for cell in table.by_column() if (row := _row(cell)) is not None],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def _rule(spec: StudySpec) -> str:
    """How this study's trials counted active units."""
    if spec.revision == 1:
        return "counted by the variance of their posterior means, which depends on the scale of z"
    return (
        "counted by the share of a dimension's variance that is noise, which no rescaling of z"
        " changes"
    )


def last_collapse(record: TrialRecord) -> Collapse | None:
    """The diagnostics of the last epoch that has them."""
    known = (m.collapse for m in reversed(record.measurements) if m.collapse is not None)
    return next(known, None)


def _row(cell: Cell) -> Row | None:
    records = cell.chosen or ((cell.best_trial,) if cell.best_trial else ())
    found = [(record, known) for record in records if (known := last_collapse(record))]
    if not found:
        return None
    names = ("active_units", "mutual_information", "ceiling")
    is_saturated = any(known.is_saturated for _, known in found)
    gaps = [known.aggregate_gap for _, known in found]
    best = [best_measurement(record) for record, _ in found]
    return {
        **stratum_row(cell.stratum),
        **{name: _mean([getattr(known, name) for _, known in found]) for name in names},
        "aggregate_gap": None if is_saturated else _mean(gaps),
        "is_saturated": is_saturated,
        "rate": _mean([measurement.rate for measurement in best]),
        "distortion": _mean([measurement.distortion for measurement in best]),
        "num_seeds": len(found),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _units_text(value: float | None, latent_size: int) -> str:
    return MISSING if value is None else f"{value:.3g} of {latent_size}"


def _information_text(value: float | None, is_saturated: bool) -> str:
    return f"{'≥ ' * is_saturated}{nats_text(value)}"
