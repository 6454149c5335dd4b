"""The config that the FID chooses beside the config that the ELBO chooses, stratum by stratum."""

from collections.abc import Sequence

from study.tables.cell import Cell
from study.tables.grid import STRATUM, Column, Grid, Row, fid, stratum_row, word
from study.tables.seed import config_of, deviation_of, unit_of, values_of
from study.tables.table import Table
from study.text import MISSING, nats_text
from trainables.count import plural


def selections(table: Table) -> Grid:
    """Test FID and test ELBO of both choices; empty where a study chose by one criterion."""
    return Grid(
        "selections",
        "Chosen by FID, chosen by ELBO",
        "What validation FID and validation ELBO chose in each stratum, both tested: means ±"
        f" standard deviation over {unit_of(table.cells)}s. A low FID means samples that look"
        " right, a high ELBO (nats per image) that the images are likely; one config need not"
        " have both. Where both chose one config, its seeds were tested once.",
        (
            *STRATUM, word("chosen"), fid("FID ↓, by FID", "fid_by_fid", "fid_by_fid_deviation"),
            fid("FID ↓, by ELBO", "fid_by_elbo", "fid_by_elbo_deviation"),
            _nats("ELBO ↑, by FID", "elbo_by_fid"), _nats("ELBO ↑, by ELBO", "elbo_by_elbo"),
        ),
        [row for cell in table.by_column() if (row := _row(_choices(table, cell)))],
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def _choices(table: Table, cell: Cell) -> dict[str, Cell]:
    """The cells of a stratum by what chose them."""
    return {own.selection: own for own in table.selections if own.stratum == cell.stratum}


def _row(choices: dict[str, Cell]) -> Row | None:
    if len(choices) < 2:
        return None
    row: dict[str, object] = stratum_row(next(iter(choices.values())).stratum)
    row["chosen"] = _sameness(choices["fid"], choices["elbo"])
    for name, cell in choices.items():
        row |= _values(f"fid_by_{name}", cell.test_fids)
        row |= _values(f"elbo_by_{name}", values_of(cell, "test_elbo"))
        row[f"num_by_{name}"] = cell.num_values
    return row


def _sameness(by_fid: Cell, by_elbo: Cell) -> str:
    """Whether both chose one config; with repeats, in how many of them."""
    pairs = list(zip(by_fid.searches, by_elbo.searches, strict=True))
    configs = [(config_of(first), config_of(second)) for first, second in pairs]
    known = [(first, second) for first, second in configs if first and second]
    if not known:
        return MISSING
    num_same = sum(first == second for first, second in known)
    if len(known) > 1:
        return f"the same in {num_same} of {plural(len(known), 'repeat')}"
    return "the same config" if num_same else "different configs"


def _values(key: str, values: Sequence[float]) -> dict[str, float | None]:
    mean = sum(values) / len(values) if values else None
    return {key: mean, f"{key}_deviation": deviation_of(values)}


def _nats(header: str, key: str) -> Column:
    return Column(header, (key, f"{key}_deviation"), nats_text)
