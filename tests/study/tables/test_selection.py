from dataclasses import replace

import pytest

from search_spaces import load_space
from study.tables.cell import Cell, build_cell
from study.tables.selection import selections
from study.tables.table import Table
from tests.study.made_up import confirm_seeds

SPEC = load_space("digits", ["strata.prior=flow"])
_, LARGE = SPEC.cells()


def cell(selection: str, slot: str, fids: list[float], elbos: list[float]) -> Cell:
    records = confirm_seeds(LARGE, fids, slot=slot, test_elbo=elbos)
    return replace(build_cell(SPEC, LARGE, None, records), selection=selection)


BY_FID = cell("fid", "search-3", [24.0, 25.0, 26.0], [-16.0, -17.0, -18.0])
BY_ELBO = cell("elbo", "search-5", [34.0, 35.0, 36.0], [-13.0, -14.0, -15.0])


def test_both_choices_stand_beside_each_other() -> None:
    grid = selections(Table((BY_FID,), selections=(BY_FID, BY_ELBO)))
    (row,) = grid.rows
    assert (row["fid_by_fid"], row["fid_by_elbo"]) == (25.0, 35.0)
    assert (row["elbo_by_fid"], row["elbo_by_elbo"]) == (-17.0, -14.0)
    assert row["fid_by_elbo_deviation"] == pytest.approx(1.0)
    assert row["chosen"] == "different configs"
    assert "35.00 ± 1.00" in grid.texts()[0]
    assert "−14.00 ± 1.00" in grid.texts()[0]


def test_one_config_that_both_choose_is_called_the_same() -> None:
    same = replace(BY_FID, selection="elbo")
    (row,) = selections(Table((BY_FID,), selections=(BY_FID, same))).rows
    assert row["chosen"] == "the same config"


def test_with_repeats_it_says_in_how_many() -> None:
    first = replace(BY_FID, repeats=(BY_FID, BY_FID, BY_FID))
    same = replace(BY_FID, selection="elbo")
    second = replace(BY_ELBO, repeats=(BY_ELBO, same, BY_ELBO))
    (row,) = selections(Table((first,), selections=(first, second))).rows
    assert row["chosen"] == "the same in 1 of 3 repeats"


def test_a_study_that_chose_by_one_criterion_has_no_such_table() -> None:
    assert not selections(Table((BY_FID,))).rows
    assert not selections(Table((BY_FID,), selections=(BY_FID,))).rows


def test_a_choice_that_is_not_made_yet_is_missing() -> None:
    empty = replace(build_cell(SPEC, LARGE, None, []), selection="elbo")
    (row,) = selections(Table((BY_FID,), selections=(BY_FID, empty))).rows
    assert (row["chosen"], row["fid_by_elbo"], row["elbo_by_elbo"]) == ("–", None, None)
