"""What the study took, and what of it led to no result: budgets, waste, failures."""

import math
from collections import Counter
from collections.abc import Sequence

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.cell import Cell
from study.tables.grid import STRATUM, Grid, Row, number, stratum_row, word
from study.tables.table import Table
from study.text import MISSING, duration_text, share_text


def budget(spec: StudySpec, table: Table) -> Grid:
    """What each stratum took."""
    device = "GPU" if spec.resources.gpus else "CPU"
    return Grid(
        "budget",
        "Budget spent",
        "Trials bind the budget of a stratum; epochs and time count search and confirm together."
        " Time is that of training and evaluation, summed over trials that ran side by side;"
        f" {device} time is that multiplied by the {device}s that each of them held.",
        (
            *STRATUM, word("status"), number("search trials", "num_search"),
            number("complete", "num_complete"), number("pruned", "num_pruned"),
            number("failed", "num_failed"), number("running", "num_running"),
            number("confirm trials", "num_confirm"), number("epochs", text="{:,}".format),
            number("time", "seconds", duration_text),
            number(f"{device} time", "device_seconds", duration_text),
        ),
        [_budget_row(spec, cell) for cell in table.by_column()],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def waste(table: Table) -> Grid:
    """The epochs that led to no result."""
    return Grid(
        "waste",
        "Epochs without a result",
        "Epochs of search trials that were pruned or failed, as shares of all search epochs: what"
        " pruning costs is set against what it saves, the epochs that pruned trials would still"
        " have taken. Repeats are further attempts at a trial whose worker was lost or raised;"
        " what an interrupted attempt trained after its last checkpoint is not recorded.",
        (
            *STRATUM, number("search epochs", "epochs_search", "{:,}".format),
            number("in pruned", "share_pruned", share_text),
            number("in failed", "share_failed", share_text),
            number("saved by pruning", "epochs_saved", "{:,}".format),
            number("time in pruned", "seconds_pruned", duration_text),
            number("time in failed", "seconds_failed", duration_text),
            number("repeats", "num_repeats"),
        ),
        [_waste_row(cell) for cell in table.by_column() if cell.search],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def failures(table: Table) -> Grid:
    """Failed trials by kind and reason."""
    reasons = Counter(
        (_failure_kind(record), record.reason or "no reason recorded", str(cell.stratum),
         record.phase)
        for cell in (*table.cells, *table.variants)
        for record in cell.trials
        if record.state == "FAIL"
    )  # fmt: skip
    keys = ("kind", "reason", "stratum", "phase")
    return Grid(
        "failures",
        "Failures",
        "Trials that ended without a result, after the further attempts that each kind of failure"
        " has; the study went on without them.",
        (*map(word, keys), number("trials", "num_trials")),
        [
            dict(zip(keys, values, strict=True)) | {"num_trials": count}
            for values, count in reasons.most_common()
        ],
        missing="No trial failed.",
    )


def _budget_row(spec: StudySpec, cell: Cell) -> Row:
    held = spec.resources.gpus or spec.resources.cpus
    return {
        **stratum_row(cell.stratum),
        "status": cell.status,
        "num_search": len(cell.search),
        "num_complete": cell.num_complete,
        "num_pruned": cell.num_pruned,
        "num_failed": cell.num_failed,
        "num_running": cell.num_running,
        "num_confirm": len(cell.confirm),
        "epochs": cell.epochs,
        "seconds": cell.seconds,
        "device_seconds": cell.seconds * held,
    }


def _waste_row(cell: Cell) -> Row:
    pruned = [record for record in cell.search if record.state == "PRUNED"]
    failed = [record for record in cell.search if record.state == "FAIL"]
    whole = sum(record.cost.epochs for record in cell.search)
    return {
        **stratum_row(cell.stratum),
        "epochs_search": whole,
        "epochs_pruned": _epochs(pruned),
        "epochs_failed": _epochs(failed),
        "share_pruned": _epochs(pruned) / whole if whole else None,
        "share_failed": _epochs(failed) / whole if whole else None,
        "epochs_saved": sum(_length(record) - record.cost.epochs for record in pruned),
        "seconds_pruned": math.fsum(record.cost.seconds for record in pruned),
        "seconds_failed": math.fsum(record.cost.seconds for record in failed),
        "num_repeats": sum(int(r.attributes.get("attempt", 1)) - 1 for r in cell.trials),
    }


def _epochs(records: Sequence[TrialRecord]) -> int:
    return sum(record.cost.epochs for record in records)


def _length(record: TrialRecord) -> int:
    """The epochs that a trial was to have."""
    return int(record.config.get("max_epochs", record.cost.epochs))


def _failure_kind(record: TrialRecord) -> str:
    return str(record.attributes.get("failure", MISSING))
