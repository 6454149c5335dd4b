"""What the table says, in plain sentences that claim no more than it shows."""

from collections.abc import Sequence

from study.tables.cell import Cell
from study.tables.comparison import UNDECIDED
from study.tables.table import Table
from study.tables.variant import Effect, effects
from study.text import fid_text, interval_text, signed_text
from trainables.count import plural

_CAVEAT = (
    "Lower is better; ± is the standard deviation over seeds, or over repeats where the search has"
    " some. Whether a lead is more than chance stands under “Comparisons between priors”."
)


def answer(table: Table) -> list[str]:
    """The sentences of a study's answer: the best prior of each column, with its numbers."""
    if not table.cells:
        return _of_variants(table)
    tested = [column for column in table.columns().values() if any(c.tests for c in column)]
    sentences = [] if table.is_finished else [_progress(table)]
    if not tested:
        return [*sentences, "No trial has a test FID, so there is no answer yet."]
    best, *others = map(_best_of, tested)
    sentences += [best if table.is_finished else f"So far, {best[0].lower()}{best[1:]}", *others]
    if table.is_finished and table.empty_cells:
        sentences.append(f"Without a value: {_listed(table)}.")
    return [*sentences, _CAVEAT]


def _of_variants(table: Table) -> list[str]:
    """How many variants move the test FID of their stratum, and which most."""
    found = effects(table)
    told = [effect for effect in found if effect.interval is not None]
    moved = [effect for effect in told if effect.verdict != UNDECIDED]
    sentences = ["This study compares fixed variants, without a search."]
    if not table.is_finished:
        sentences.append("It is not finished.")
    if not found:
        return [*sentences, "There is one of them a stratum, so there is nothing to compare."]
    if not told:
        return [*sentences, "No variant has two seeds yet, so none can be told from another."]
    sentences.append(
        f"{len(moved)} of {plural(len(told), 'comparison')} with the first variant of a stratum"
        " have a 95 % interval that leaves out zero, not corrected for their number."
    )
    if moved:
        most = max(moved, key=lambda effect: abs(effect.difference or 0.0))
        sentences.append(
            f"The largest difference: on {most.cell.stratum}, {most.cell.variant} moves the test"
            f" FID by {signed_text(most.difference)} ({_interval(most)})."
        )
    return sentences


def _interval(effect: Effect) -> str:
    low, high = effect.interval or (None, None)
    return interval_text(low, high, signed=True)


def _progress(table: Table) -> str:
    num_trials = sum(len(cell.search) - cell.num_running for cell in table.cells)
    num_finished = sum(cell.is_finished for cell in table.cells)
    return (
        f"The study is not finished: {plural(num_trials, 'search trial')} ended, and"
        f" {num_finished} of {plural(len(table.cells), 'cell')} are done."
    )


def _best_of(column: Sequence[Cell]) -> str:
    best, *others = sorted((cell for cell in column if cell.tests), key=lambda c: c.mean or 0.0)
    start = f"On {best.stratum.dataset} with latent size {best.stratum.latent_size}"
    seeds = plural(best.num_values, best.unit)
    if not others:
        return (
            f"{start}, only the {best.stratum.prior} prior has a test FID: {_fid(best)} ({seeds})."
        )
    rivals = " and ".join(f"{other.stratum.prior} ({_fid(other)})" for other in others)
    return (
        f"{start}, the {best.stratum.prior} prior has the lowest mean test FID,"
        f" {_fid(best)} over {seeds}, ahead of {rivals}{_closeness(best, others[0])}."
    )


def _closeness(best: Cell, second: Cell) -> str:
    """A warning where the lead is smaller than the spread of the seeds, or of the repeats."""
    if best.mean is None or second.mean is None:
        return ""
    spread = max(best.standard_deviation or 0.0, second.standard_deviation or 0.0)
    if min(best.num_values, second.num_values) < 2:
        return f"; with one {best.unit} the spread is unknown"
    is_small = second.mean - best.mean < spread
    return f"; the lead is smaller than the spread of the {best.unit}s" if is_small else ""


def _fid(cell: Cell) -> str:
    return fid_text(cell.mean, cell.standard_deviation).replace(" ", "\N{NO-BREAK SPACE}")


def _listed(table: Table) -> str:
    """The empty cells, each with the reason; of a further selection with its criterion."""
    further = set(map(id, table.further_selections))
    words = [
        f"{cell.stratum}{f' by {cell.selection}' if id(cell) in further else ''} ({cell.status})"
        for cell in table.empty_cells
    ]
    return ", ".join(words)
