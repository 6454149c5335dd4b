"""What a test FID owes to its reference: to the number of its images, and to the classifier."""

from collections.abc import Sequence

import numpy as np

from study.tables.cell import Cell
from study.tables.grid import STRATUM, Grid, Row, interval, interval_row, number, stratum_row, word
from study.tables.seed import tests_of
from study.tables.table import Table
from study.text import fid_text
from trainables.count import plural


def classifier_ranks(table: Table) -> Grid:
    """The rank of each prior with the features of each classifier; empty where there is one."""
    rows = [row for column in table.columns().values() for row in _rows(column)]
    num_seeds = max((len(row["means"]) for row in rows), default=0)
    biases = " ".join(f"{text[0].upper()}{text[1:]}." for text in reference_biases(table))
    return Grid(
        "classifier_ranks",
        "Does another classifier change the order?",
        "Ranks of the priors in their column by mean test FID, 1 is the lowest, with the features"
        " of classifiers that were trained from different seeds; the first is that of every other"
        " table. FIDs of two classifiers share no scale, so only ranks compare between them; the"
        f" last column is the range of the means. {biases}".strip(),
        (
            *STRATUM,
            *(number(f"classifier {n + 1}", f"rank_{n + 1}") for n in range(num_seeds)),
            word("first in", "first"), interval("FIDs", "fid", signed=False),
        ),
        rows,
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def reference_biases(table: Table) -> list[str]:
    """For each data set, the FID of real images: what few reference images leave of it."""
    texts = []
    for dataset, protocol in table.protocols().items():
        cells = [cell for cell in table.every_cell if cell.stratum.dataset == dataset]
        found = [test.real_fid for cell in cells for test in tests_of(cell)]
        known = [value for value in found if value is not None]
        if known:
            count = protocol.get("num_reference_images")
            images = f" the {plural(count, 'image')} of" if count else ""
            texts.append(
                f"on {dataset}, train images against{images} the test split have a FID of"
                f" {fid_text(float(np.mean(known)))} by the same protocol: about what a perfect"
                " model would have"
            )
    return texts


def _rows(column: Sequence[Cell]) -> list[Row]:
    known = [(cell, means) for cell in column if (means := _means(cell))]
    return [
        {
            **stratum_row(cell.stratum),
            **{f"rank_{n}": rank for n, rank in enumerate(ranks, 1)},
            "first": f"{ranks.count(1)} of {len(ranks)}",
            **interval_row((min(means), max(means)), "fid"),
            "means": means,
        }
        for cell, means in known
        for ranks in [[_rank(n, mean, known) for n, mean in enumerate(means)]]
    ]


def _rank(classifier: int, mean: float, column: Sequence[tuple[Cell, Sequence[float]]]) -> int:
    """From 1, the lowest, among those that were measured with this classifier."""
    return 1 + sum(means[classifier] < mean for _, means in column)


def _means(cell: Cell) -> list[float]:
    """Mean test FID over seeds by classifier; empty below two classifiers."""
    by_seed = [test.classifier_fids for test in tests_of(cell) if len(test.classifier_fids) > 1]
    return [float(np.mean(fids)) for fids in zip(*by_seed, strict=True)]
