"""How well early rungs foretold the end, and what pruning may have cost.

Control trials are never stopped, so their rungs are an honest sample. Trials that survived the
pruner look alike by construction: among them alone the correlation comes out too low.
"""

from collections.abc import Iterator, Sequence

from scipy.stats import spearmanr

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.cell import Cell
from study.tables.grid import STRATUM, Grid, Row, number, stratum_row
from study.tables.table import Table
from study.text import MISSING

FEWEST_PAIRS = 3


def rung_correlations(spec: StudySpec, table: Table) -> Grid:
    """Spearman's rank correlation between the FID at each rung and at the end."""
    return Grid(
        "rungs",
        "What early rungs foretell",
        "Spearman's rank correlation of the validation FID at a rung with that at the last epoch,"
        " within a stratum; 1 means that the rung had the final order. Control trials are never"
        " stopped and so an honest sample; all complete trials are more, but the pruner chose"
        f" them, which makes the correlation too low. {MISSING} below {FEWEST_PAIRS} trials.",
        (
            *STRATUM, number("rung (epoch)", "rung"), number("control trials", "num_control"),
            number("ρ, control", "rho_control", _rho_text),
            number("complete trials", "num_complete"),
            number("ρ, complete", "rho_complete", _rho_text),
        ),
        [row for cell in table.by_column() for row in _rung_rows(spec, cell)],
        missing="No trial has been complete yet, so no rung can be held against the end."
        * bool(table.cells),
        group_by=("dataset", "latent_size", "prior"),
    )  # fmt: skip


def lost_winners(spec: StudySpec, table: Table) -> Grid:
    """What pruning would have cost, had the control trials not been spared."""
    return Grid(
        "lost_winners",
        "Winners that pruning would have cost",
        "Control trials run to the end whatever the pruner says. “Would stop”: those that at some"
        f" rung lie outside the best 1/{spec.budget.reduction_factor} of all search trials with a"
        " FID there, as halving decides once all are in. A winner among them ended with the lowest"
        " FID of its stratum; such a stratum's best config would have been lost.",
        (
            *STRATUM, number("control trials", "num_control"),
            number("would stop", "num_stopped"), number("winners lost", "num_lost"),
        ),
        [_winner_row(spec, cell) for cell in table.by_column() if _controls(cell)],
        missing="No control trial has ended yet." * bool(table.cells),
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's of pairs; None below three or where one side does not vary."""
    firsts, seconds = {a for a, _ in pairs}, {b for _, b in pairs}
    if len(pairs) < FEWEST_PAIRS or min(len(firsts), len(seconds)) < 2:
        return None
    return float(spearmanr([a for a, _ in pairs], [b for _, b in pairs]).statistic)


def _rung_rows(spec: StudySpec, cell: Cell) -> Iterator[Row]:
    controls, complete = _controls(cell), _complete(cell)
    for rung in spec.budget.rungs if complete else ():
        yield {
            **stratum_row(cell.stratum), "rung": rung, "num_control": len(controls),
            "rho_control": rank_correlation(_pairs(controls, rung)),
            "num_complete": len(complete),
            "rho_complete": rank_correlation(_pairs(complete, rung)),
        }  # fmt: skip


def _pairs(records: Sequence[TrialRecord], rung: int) -> list[tuple[float, float]]:
    return [(r.rungs[rung], r.value) for r in records if rung in r.rungs and r.value is not None]


def _winner_row(spec: StudySpec, cell: Cell) -> Row:
    stopped = [
        (search, record)
        for search in cell.searches
        for record in _controls(search)
        if _would_stop(spec, search, record)
    ]
    return {
        **stratum_row(cell.stratum), "num_control": len(_controls(cell)),
        "num_stopped": len(stopped),
        "num_lost": sum(record.value == _best_value(search) for search, record in stopped),
    }  # fmt: skip


def _best_value(cell: Cell) -> float | None:
    return min((r.value for r in _complete(cell) if r.value is not None), default=None)


def _would_stop(spec: StudySpec, cell: Cell, record: TrialRecord) -> bool:
    for rung in spec.budget.rungs:
        values = sorted(r.rungs[rung] for r in cell.search if rung in r.rungs)
        num_promoted = max(1, len(values) // spec.budget.reduction_factor)
        has_peers = len(values) > spec.budget.min_peers
        if rung in record.rungs and has_peers and record.rungs[rung] > values[num_promoted - 1]:
            return True
    return False


def _complete(cell: Cell) -> list[TrialRecord]:
    return [r for r in cell.search if r.state == "COMPLETE" and r.value is not None]


def _controls(cell: Cell) -> list[TrialRecord]:
    return [record for record in _complete(cell) if record.attributes.get("control")]


def _rho_text(value: float | None) -> str:
    return MISSING if value is None else f"{value:+.2f}"
