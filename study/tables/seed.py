"""The seeds behind a cell: what each of them measured, and how many ended without a result."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from study.record import TestResult, TrialRecord
from study.tables.cell import Cell
from study.text import seeded_fid_text


def unit_of(cells: Iterable[Cell]) -> str:
    """What the values of a table's cells are of: a seed, or a repeat where searches have some."""
    return next((cell.unit for cell in cells if cell.repeats), "seed")


def tests_of(cell: Cell) -> Iterator[TestResult]:
    """The results on the test split of every seed, over all repeats."""
    return (test for search in cell.searches for test in search.tests)


def values_of(cell: Cell, part: str) -> tuple[float, ...]:
    """A part of the test results where it is known, as `Cell.test_fids` has the test FID."""
    values = (
        [repeat.mean_part(part) for repeat in cell.repeats]
        if cell.repeats
        else [getattr(test, part) for test in cell.tests]
    )
    return tuple(value for value in values if value is not None)


def deviation_of(values: Sequence[float]) -> float | None:
    """Standard deviation (ddof 1); None below two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def num_failed_seeds(cell: Cell) -> int:
    """Confirm seeds of the cell's config that ended without a result.

    One that diverged counts also where a retry drew another seed in its place.
    """
    return sum(map(_num_failed, cell.searches))


def seed_row(cell: Cell) -> dict[str, int]:
    """How many seeds of the cell were tested, and how many failed."""
    num_tested = sum(1 for _ in tests_of(cell))
    return {"num_tested": num_tested, "num_failed_seeds": num_failed_seeds(cell)}


def fid_of_seeds(cell: Cell) -> str:
    """The mean test FID ± its deviation, with `2 of 3 seeds` behind it where some failed."""
    return seeded_fid_text(cell.mean, cell.standard_deviation, *seed_row(cell).values())


def config_of(search: Cell) -> str | None:
    """What the ledger calls the config that one search chose; None before the choice."""
    return _slot(search.chosen[0])[0] if search.chosen else None


def _num_failed(search: Cell) -> int:
    own = {_purpose(record) for record in search.chosen}
    retried = {record.attributes.get("retry_of") for record in search.confirm}
    failed = [r for r in search.confirm if r.state == "FAIL" and _purpose(r) in own]
    diverged = [r for r in failed if r.attributes.get("failure") == "diverged"]
    return len({r.number for r in failed} - retried | {r.number for r in diverged})


def _purpose(record: TrialRecord) -> tuple[str | None, ...]:
    """Its config, and whether its seed was trained to choose that or only to be tested."""
    key, _, *purpose = _slot(record)
    return key, *purpose


def _slot(record: TrialRecord) -> Sequence[Any]:
    return record.attributes.get("slot") or (None, None)
