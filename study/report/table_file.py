"""The table as files: CSV with every digit, Markdown for people."""

import csv
import io
from typing import Any

from study.number import MISSING, duration_text, fid_text, nats_text
from study.protocol import protocol_hash
from study.record import TEST_PARTS
from study.report.cell import Cell
from study.report.effect import Effect, effects
from study.report.paper import paper_fid
from study.report.table import Table


def csv_text(table: Table) -> str:
    """One line a cell or variant, numbers as Python prints them, so that they read back the same.

    A variant's difference is that of its test FID to the first variant's of its stratum.
    """
    moved = {id(effect.cell): effect for effect in effects(table)}
    rows = [_row(cell, moved.get(id(cell))) for cell in (*table.cells, *table.variants)]
    names = list(rows[0]) if rows else ["dataset", "prior", "latent_size"]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def markdown_text(table: Table) -> str:
    """The table as Markdown; the best prior of each data set and latent size is bold."""
    headers = (
        "dataset", "latent size", "prior", "test FID ↓", "paper", "untrained", "ELBO ↑", "seeds",
        "trials", "pruned", "failed", "time",
    )  # fmt: skip
    lines = [headers, ("---", "---:", "---") + ("---:",) * (len(headers) - 3)]
    for column in table.columns().values():
        lines += [_markdown_row(cell, table.is_best(cell)) for cell in column]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(cell: Cell, effect: Effect | None) -> dict[str, Any]:
    low, high = (effect.interval if effect else None) or (None, None)
    return {
        "dataset": cell.stratum.dataset,
        "prior": cell.stratum.prior,
        "latent_size": cell.stratum.latent_size,
        "variant": cell.variant,
        "test_fid": cell.mean,
        "standard_deviation": cell.standard_deviation,
        "num_seeds": cell.num_seeds,
        "test_fids": " ".join(str(float(fid)) for fid in cell.test_fids),
        "difference": effect.difference if effect else None,
        "difference_low": low,
        "difference_high": high,
        "paper_fid": paper_fid(cell.stratum),
        "untrained_fid": cell.untrained_fid,
        **{name: cell.mean_part(name) for name in TEST_PARTS},
        "fid_protocol": protocol_hash(cell.tests[0].protocol) if cell.tests else None,
        "val_fid": cell.val_fid,
        "best_elbo": cell.best_elbo,
        "num_complete": cell.num_complete,
        "num_pruned": cell.num_pruned,
        "num_failed": cell.num_failed,
        "num_running": cell.num_running,
        "epochs": cell.epochs,
        "seconds": cell.seconds,
        "status": cell.status,
    }


def _markdown_row(cell: Cell, is_best: bool) -> tuple[str, ...]:
    stratum = cell.stratum
    fid = fid_text(cell.mean, cell.standard_deviation)
    return (
        stratum.dataset, str(stratum.latent_size), stratum.prior,
        f"{MISSING} ({cell.status})" if cell.mean is None else f"**{fid}**" if is_best else fid,
        fid_text(paper_fid(stratum)), fid_text(cell.untrained_fid), nats_text(cell.best_elbo),
        str(cell.num_seeds), str(len(cell.search)), str(cell.num_pruned), str(cell.num_failed),
        duration_text(cell.seconds),
    )  # fmt: skip
