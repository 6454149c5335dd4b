"""The parts of a test FID's variance, against components that are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from search_spaces import load_space
from study.tables.cell import Cell, build_cell
from study.tables.luck import components, luck
from study.tables.table import Table
from tests.study.made_up import confirm_seeds

SEARCH, SEED, DRAW = 4.0, 3.8, 1.5
NUM_DRAWS = 4
SPEC = load_space("digits", ["strata.prior=flow", "strata.latent_size=8"])


@pytest.mark.parametrize("num_seeds", [(5, 5, 5, 5), (2, 7, 3, 4), (3, 3)])
def test_the_parts_are_right_on_average(num_seeds: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4000):
        repeats = [
            rng.normal(0, SEARCH) + rng.normal(0, SEED, n) + rng.normal(0, DRAW, n)
            for n in num_seeds
        ]
        noises = rng.normal(0, DRAW, (sum(num_seeds), NUM_DRAWS)).std(1, ddof=1)
        parts = components([y.tolist() for y in repeats], noises.tolist())
        assert parts is not None
        found.append(parts)
    means, errors = np.mean(found, 0), np.std(found, 0) / np.sqrt(len(found))
    assert np.all(np.abs(means - np.square([SEARCH, SEED, DRAW])) < 3.5 * errors)


def test_balanced_parts_are_the_textbooks() -> None:
    # Two repeats of two seeds: MS_between = 2 (11 - 15)² · 2 = 64, MS_within = (2 + 2) / 2 = 2.
    parts = components([[10.0, 12.0], [18.0, 20.0]], [0.5, 0.5])
    assert parts == pytest.approx(((64 - 2) / 2, 2 - 0.25, 0.25))


def test_one_repeat_or_one_seed_each_tells_nothing_apart() -> None:
    assert components([[1.0, 2.0, 3.0]], [0.1]) is None
    assert components([[1.0], [2.0], [3.0]], [0.1]) is None
    assert components([[1.0, 2.0], []], [0.1]) is None


def cell(repeats: Sequence[Sequence[float]], noise: float | None) -> Cell:
    (stratum,) = SPEC.cells()
    own = [
        build_cell(SPEC, stratum, None, confirm_seeds(stratum, fids, fid_noise=noise))
        for fids in repeats
    ]
    return replace(own[0], repeats=tuple(own))


def test_the_table_shows_deviations_and_a_negative_part_as_0() -> None:
    grid = luck(Table((cell([[10.0, 14.0], [18.0, 22.0]], 0.5),)))
    (row,) = grid.rows
    assert row["search"] == pytest.approx((((2 * 4**2 * 2) - 8) / 2) ** 0.5)
    assert (row["draw"], row["num_repeats"], row["num_tested"]) == (0.5, 2, 4)
    (row,) = luck(Table((cell([[10.0, 20.0], [11.0, 19.5]], 9.0),))).rows
    assert (row["search"], row["seed"]) == (0.0, 0.0)


def test_what_cannot_be_told_apart_is_missing_and_one_search_has_no_such_table() -> None:
    (row,) = luck(Table((cell([[10.0, 14.0], [18.0, 22.0]], None),))).rows
    assert row["search"] is row["seed"] is row["draw"] is None
    single = replace(cell([[10.0, 14.0]], 0.5), repeats=())
    assert not luck(Table((single,))).rows
