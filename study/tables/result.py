"""The table of a study as grids: its results, and what the test FIDs are made of."""

from collections.abc import Sequence
from typing import Any

from study.record import FID_PARTS, TEST_PARTS
from study.tables.cell import Cell
from study.tables.grid import (
    STRATUM,
    Column,
    Grid,
    Row,
    fid,
    interval,
    interval_row,
    number,
    stratum_row,
    word,
)
from study.tables.paper import SOURCE, TABLE1, paper_fid
from study.tables.protocol import protocol_hash
from study.tables.seed import seed_row, unit_of
from study.tables.table import Table
from study.tables.variant import variants
from study.text import MISSING, nats_text, seeded_fid_text, signed_text, value_text

_COLUMN = ("dataset", "latent_size")


def results(table: Table, facts: Sequence[tuple[str, str]]) -> Grid:
    """Our test FID of each stratum, and the paper's beside it.

    Args:
        table: the study's.
        facts: how the numbers were made, as name and text.
    """
    unit = unit_of(table.cells)
    has_paper = any(paper_fid(cell.stratum) is not None for cell in table.cells)
    paper = (
        fid("paper", "paper_fid"),
        number("to the paper", "paper_difference", signed_text),
        number("paper's rank", "paper_rank"),
    )
    return Grid(
        "table",
        "Table",
        f"Test FID as mean ± standard deviation over {unit}s, with Student's 95 % interval of the"
        " mean; lower is better, and rank 1 is the lowest of its data set and latent size. The"
        " ELBO is that of validation, in nats per image; higher is better."
        + f" “Paper” is {SOURCE}; judge by the order within a column, not by absolute values."
        * has_paper,
        (
            *STRATUM,
            Column(
                "test FID ↓",
                ("test_fid", "standard_deviation", "num_tested", "num_failed_seeds", "status"),
                _fid_or_status,
            ),
            interval(signed=False), number("rank"), *(paper if has_paper else ()),
            fid("untrained", "untrained_fid"), fid("validation FID ↓", "val_fid"),
            number("ELBO ↑", "best_elbo", nats_text), number(f"{unit}s", "num_seeds"),
        ),
        [result_row(table, cell) for cell in table.by_column()],
        group_by=_COLUMN,
        strong="is_best",
        provenance="Made with: " + "; ".join(f"{name}: {text}" for name, text in facts) + ".",
    )  # fmt: skip


def all_rows(table: Table) -> list[Row]:
    """The cells and then the variants, with everything that is known of each."""
    moved = [
        {key: row[key] for key in ("difference", "difference_low", "difference_high")}
        for row in variants(table).rows
    ]
    return [
        *(result_row(table, cell) for cell in table.cells),
        *(result_row(table, c) | row for c, row in zip(table.variants, moved, strict=True)),
    ]


def result_row(table: Table, cell: Cell) -> dict[str, Any]:
    """Everything that is known of a cell, as plain values."""
    paper = None if cell.variant else paper_fid(cell.stratum)
    own = cell.mean
    return {
        **stratum_row(cell.stratum),
        "variant": cell.variant,
        "test_fid": own,
        "standard_deviation": cell.standard_deviation,
        **interval_row(cell.interval),
        "num_seeds": cell.num_seeds,
        **seed_row(cell),
        "test_fids": [float(value) for value in cell.test_fids],
        "rank": None if cell.variant else table.rank(cell),
        "is_best": not cell.variant and table.is_best(cell),
        "difference": None,
        "difference_low": None,
        "difference_high": None,
        "paper_fid": paper,
        "paper_difference": None if own is None or paper is None else own - paper,
        "paper_rank": None if paper is None else _paper_rank(cell),
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


def fid_parts(table: Table) -> Grid:
    """What the test FID of each cell is made of."""
    unit = unit_of(table.cells)
    return Grid(
        "fid_parts",
        "What the test FID is made of",
        f"Means over {unit}s; lower is better, but for precision and recall. Reconstruction: test"
        " images through encoder and decoder, which is what the decoder loses. Aggregate: decoded"
        " draws from the posteriors of train images, which a perfect prior would reach."
        f" {_hole(table)} Noise is the standard deviation of the test FID over four draws of"
        f" samples, to be held against its deviation over {unit}s. KID, precision and recall are"
        " of the test FID's own samples and features; the KID is that of torch-fidelity as it is,"
        " where others print it times 10³.",
        (
            *STRATUM, *([word("variant")] if table.variants else []), fid("test FID", "test_fid"),
            fid(f"over {unit}s", "standard_deviation"), fid("noise", "fid_noise"),
            fid("reconstruction", "reconstruction_fid"), fid("aggregate", "aggregate_fid"),
            fid("hole", "prior_hole"), number("KID (× 1)", "kid", value_text),
            number("precision"), number("recall"),
        ),
        [
            {**stratum_row(cell.stratum), "variant": cell.variant, "test_fid": cell.mean,
             "standard_deviation": cell.standard_deviation,
             **{name: cell.mean_part(name) for name in FID_PARTS}}
            for cell in (*table.by_column(), *table.variants)
            if cell.mean_part("aggregate_fid") is not None
        ],
        group_by=_COLUMN,
    )  # fmt: skip


def _hole(table: Table) -> str:
    """What stands in the column of the hole: a distance, or in older studies a difference."""
    tests = [test for cell in (*table.cells, *table.variants) for test in cell.tests]
    direct = "The hole is the FID of the prior's samples to those draws: what the prior misses."
    difference = (
        "The hole is the test FID minus that, since the study did not measure the distance of the"
        " prior's samples to those draws, which may be another number."
    )
    is_direct = {test.hole_fid is not None for test in tests if test.aggregate_fid is not None}
    if is_direct == {True, False}:
        return f"{direct} Where a seed lacks it, it is the test FID minus the aggregate's."
    return difference if is_direct == {False} else direct


def _fid_or_status(
    mean: float | None, deviation: float | None, num_tested: int, num_failed: int, status: str
) -> str:
    if mean is None:
        return f"{MISSING} ({status})"
    return seeded_fid_text(mean, deviation, num_tested, num_failed)


def _paper_rank(cell: Cell) -> int:
    stratum = cell.stratum
    column = [by_size[stratum.latent_size] for by_size in TABLE1[stratum.dataset].values()]
    own = TABLE1[stratum.dataset][stratum.prior][stratum.latent_size]
    return 1 + sum(value < own for value in column)
