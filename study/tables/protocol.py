"""What each FID of a study was measured with, by the hash of its protocol."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search_spaces import read_yaml
from study.record import FID_PARTS, TrialRecord
from study.text import MISSING, value_text

if TYPE_CHECKING:
    from study.storage.layout import Layout
    from study.tables.table import Table

VALIDATION = "val_protocol"
SHOWN = 12
_FIDS = ("test_fid", "untrained_fid", *FID_PARTS)
_FINGERPRINT = "reference_fingerprint"


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a study, and how it was measured.

    Attributes:
        place: the table's cell, the file, or the MLflow run.
        name: what the number is.
        value: itself, or a mean over seeds in a table.
        protocol: by field; empty where it was not recorded.
    """

    place: str
    name: str
    value: float
    protocol: Mapping[str, Any]


def protocol_hash(protocol: Mapping[str, Any]) -> str:
    """SHA-256 of a protocol's fields, in hex: that of `trainables.fid.FIDProtocol`, torch aside.

    >>> protocol_hash({"b": 1, "a": 2}) == protocol_hash({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(dict(protocol), sort_keys=True).encode()).hexdigest()


def first_difference(protocol: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first field in which two protocols differ; None where they are the same.

    >>> first_difference({"a": 1, "b": 2}, {"a": 1, "b": 3})
    'b'
    """
    names = (name for name in (*protocol, *other) if protocol.get(name) != other.get(name))
    return next(names, None)


def show_protocols(
    layout: "Layout", table: "Table", records: Sequence[TrialRecord], console: Console
) -> None:
    """Every FID of a study in table, files and MLflow, with its protocol; then the protocols."""
    groups = {
        "table, and the report's files": [*_of_table(table)],
        "exported files": [*_of_files(layout.export)],
        "MLflow runs": [*_of_runs(records)],
    }
    for title, numbers in groups.items():
        console.print(f"[bold]{title}[/]" + ("" if numbers else ": no FID yet"))
        for number in numbers:
            console.print(f"  {_line(number)}", soft_wrap=True, markup=False, emoji=False)
    numbers = [number for group in groups.values() for number in group if number.protocol]
    for digest, protocol in {protocol_hash(n.protocol): n.protocol for n in numbers}.items():
        console.print(f"[bold]protocol {digest[:SHOWN]}[/]  sha256 {digest}", soft_wrap=True)
        for name, value in protocol.items():
            console.print(f"  {name}: {value}", soft_wrap=True, markup=False, emoji=False)


def _line(number: Measured) -> str:
    known = number.protocol
    digest = protocol_hash(known)[:SHOWN] if known else "not recorded"
    data = str(known.get(_FINGERPRINT, MISSING))[:SHOWN]
    return (
        f"{number.place}  {number.name} {value_text(number.value)}  protocol {digest}  data {data}"
    )


def _of_table(table: "Table") -> Iterator[Measured]:
    for cell in (*table.cells, *table.variants):
        place = f"{cell.stratum}{f' {cell.variant}' * bool(cell.variant)}"
        if cell.tests:
            protocol = cell.tests[0].protocol
            yield from _present(place, protocol, ((n, cell.mean_part(n)) for n in _FIDS))
        if cell.chosen:
            validation = cell.chosen[0].attributes.get(VALIDATION, {})
            yield from _present(place, validation, [("val_fid", cell.val_fid)])


def _of_files(folder: Path) -> Iterator[Measured]:
    for path in sorted(folder.rglob("*.yaml")):
        values = read_yaml(path.read_text())
        if isinstance(values, dict) and "protocol" in values:
            place = str(path.relative_to(folder.parent))
            yield from _present(place, values["protocol"], [("mean", values.get("mean"))])


def _of_runs(records: Iterable[TrialRecord]) -> Iterator[Measured]:
    for record in records:
        place = f"{record.attributes.get('mlflow_run_id', MISSING)} {record.phase}"
        place += f" {record.stratum} #{record.number}"
        validation = record.attributes.get(VALIDATION, {})
        yield from _present(place, validation, [("val_fid", record.value)])
        if record.test is not None:
            numbers = record.test.metrics().items()
            fids = (number for number in numbers if number[0] in _FIDS)
            yield from _present(place, record.test.protocol, fids)


def _present(
    place: str, protocol: Mapping[str, Any], values: Iterable[tuple[str, float | None]]
) -> Iterator[Measured]:
    for name, value in values:
        if value is not None:
            yield Measured(place, name, value, protocol)
