"""Cells show the seeds that are tested for a criterion, never those that chose."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from search_spaces import StudySpec, load_space
from study.record import TrialRecord
from study.report.summary import answer
from study.tables.cell import Cell
from study.tables.table import Table, build_table

MakeRecords = Callable[..., list[TrialRecord]]
CHOOSING: list[str] = []


@pytest.fixture(scope="module")
def spec() -> StudySpec:
    return load_space("digits", [
        "confirm.num_configs=2", "confirm.by=fid,elbo", "strata.prior=gaussian",
        "strata.latent_size=8",
    ])  # fmt: skip


@pytest.fixture(scope="module")
def search(spec: StudySpec, synthetic_records: MakeRecords) -> list[TrialRecord]:
    return [record for record in synthetic_records(spec) if record.phase == "search"]


@pytest.fixture(scope="module")
def seed(spec: StudySpec, synthetic_records: MakeRecords) -> TrialRecord:
    return next(r for r in synthetic_records(spec) if r.test)


def seeds(
    seed: TrialRecord,
    first: int,
    key: str,
    chosen_by: Sequence[str],
    value: float,
    state: str = "COMPLETE",
) -> list[TrialRecord]:
    """Three confirm trials of a config; those that stand for a criterion are tested."""
    is_fresh = bool(chosen_by)
    assert seed.test is not None
    tested = replace(seed.test, test_fid=value) if is_fresh and state == "COMPLETE" else None
    return [
        replace(
            seed, number=first + n, state=state, value=value if state == "COMPLETE" else None,
            test=tested, attributes={
                "slot": [key, n, *(["fresh"] if is_fresh else [])], "chosen_by": list(chosen_by),
            },
        )
        for n in range(3)
    ]  # fmt: skip


def by_criterion(table: Table) -> dict[str, Cell]:
    return {cell.selection: cell for cell in table.selections}


def test_seeds_that_chose_enter_no_number_of_a_cell(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    choosing = [
        *seeds(seed, 0, "search-0", CHOOSING, 1.0), *seeds(seed, 3, "search-1", CHOOSING, 2.0)
    ]  # fmt: skip
    tested = seeds(seed, 6, "search-0", ["fid", "elbo"], 30.0)
    table = build_table(spec, [*search, *choosing, *tested])
    for cell in table.selections:
        assert (cell.mean, cell.val_fid, cell.num_values) == (30.0, 30.0, 3)
        assert cell.chosen == tuple(tested)
        assert cell.status == "done"
    assert len(table.selections) == 2
    assert table.further_selections == table.selections[1:]


def test_each_criterion_has_a_cell_of_its_own_choice(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    by_fid = seeds(seed, 0, "search-0", ["fid"], 30.0)
    by_elbo = seeds(seed, 3, "search-1", ["elbo"], 20.0)
    table = build_table(spec, [*search, *by_fid, *by_elbo])
    assert {name: cell.mean for name, cell in by_criterion(table).items()} == {
        "fid": 30.0, "elbo": 20.0,
    }  # fmt: skip
    assert [cell.selection for cell in table.cells] == ["fid"]
    other = spec.confirm.model_copy(update={"by": ("elbo", "fid")})
    turned = build_table(spec.model_copy(update={"confirm": other}), [*search, *by_fid, *by_elbo])
    assert [(cell.selection, cell.mean) for cell in turned.cells] == [("elbo", 20.0)]


def test_one_criterion_has_no_further_selection(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    one = spec.confirm.model_copy(update={"by": ("fid",)})
    tested = seeds(seed, 0, "search-0", ["fid"], 30.0)
    table = build_table(spec.model_copy(update={"confirm": one}), [*search, *tested])
    assert (table.selections, table.further_selections) == ((), ())
    assert table.cells[0].selection == "fid"


def test_a_config_that_another_took_the_place_of_is_no_part_of_the_cell(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    """A tested config stays tested; after a retest the cell is the other's."""
    before = [replace(r, test=seed.test) for r in seeds(seed, 0, "search-0", CHOOSING, 1.0)]
    after = seeds(seed, 3, "search-1", ["fid", "elbo"], 30.0)
    assert build_table(spec, [*search, *before, *after]).cells[0].mean == 30.0


def test_the_status_counts_the_seeds_that_are_to_be_tested(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    failed = seeds(seed, 0, "search-0", CHOOSING, 1.0, state="FAIL")
    choosing = seeds(seed, 3, "search-1", CHOOSING, 2.0)
    running = [replace(choosing[-1], state="RUNNING", value=None)]

    def status(*records: TrialRecord) -> tuple[bool, str]:
        (cell,) = build_table(spec, [*search, *records]).cells
        return cell.is_finished, cell.status

    assert status() == (False, "0 of 3 seeds tested")
    assert status(*failed, *choosing[:2], *running) == (
        False, "choosing a config: 5 of 6 seeds ended",
    )  # fmt: skip
    one, two, three = seeds(seed, 6, "search-1", ["fid", "elbo"], 30.0)
    assert status(*failed, *choosing, one, two) == (False, "2 of 3 seeds tested")
    lost = replace(three, state="FAIL", value=None, test=None)
    assert status(*failed, *choosing, one, two, lost) == (True, "2 of 3 seeds tested, 1 failed")
    again = replace(lost, number=9, state="RUNNING",
                    attributes=lost.attributes | {"retry_of": lost.number})  # fmt: skip
    assert status(*failed, *choosing, one, two, lost, again) == (False, "2 of 3 seeds tested")


def test_where_all_seeds_fail_nothing_more_is_to_come(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    failed = [
        *seeds(seed, 0, "search-0", CHOOSING, 1.0, state="FAIL"),
        *seeds(seed, 3, "search-1", CHOOSING, 1.0, state="FAIL"),
    ]
    table = build_table(spec, [*search, *failed])
    assert table.is_finished
    assert {cell.status for cell in table.every_cell} == {"no config chosen: all 6 seeds failed"}


def test_an_empty_selection_is_named_with_its_criterion(
    spec: StudySpec, search: list[TrialRecord], seed: TrialRecord
) -> None:
    by_fid = seeds(seed, 0, "search-0", ["fid"], 30.0)
    by_elbo = seeds(seed, 3, "search-1", ["elbo"], 20.0, state="FAIL")
    table = build_table(spec, [*search, *by_fid, *by_elbo])
    assert table.is_finished
    assert [cell.selection for cell in table.empty_cells] == ["elbo"]
    words = "Without a value: digits/gaussian/8 by elbo (0 of 3 seeds tested, 3 failed)."
    assert words in answer(table)
