"""One row of an export: a stratum's YAML file, with weights, sample grid and model card beside."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search_spaces import dump_yaml
from study.export.export import FORMAT, Export
from study.export.model_card import model_card
from study.record import TEST_PARTS, TrialRecord
from study.storage.environment import Environment
from study.storage.layout import Layout
from study.tables.cell import Cell, best_measurement
from study.tables.interval import confidence_interval
from study.tables.table import Table
from trainables.config import TrialConfig
from trainables.fid import find_classifier
from trainables.file import file_hash, write_atomically

_HEADER = "# Run it again: study reproduce THIS_FILE. Draw from it: study sample THIS_FILE\n"
WEIGHTS, SAMPLES = "best.safetensors", "samples.png"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of an export come from.

    Attributes:
        layout: the study's.
        environment: what the study ran with, last.
        gpus: share of a GPU that a trial takes.
        elsewhere: what was different in other environments that it ran in.
        every_seed: whether the weights of every seed are kept, or of the best one only.
    """

    layout: Layout
    environment: Environment
    gpus: float = 0
    elsewhere: tuple[str, ...] = ()
    every_seed: bool = False


def exported_cells(table: Table) -> dict[Path, Cell]:
    """The cells that have a file of their own, tested or not, by its path in an export.

    Each repeat of a search has one. What a further criterion chose has one where it is not the
    config of the first.
    """
    cells = {_row_path(cell): cell for whole in table.cells for cell in whole.searches}
    cells |= {_row_path(cell, str(cell.variant)): cell for cell in table.variants}
    for further in table.further_selections:
        for cell in further.searches:
            numbers = [[r.number for r in c.chosen] for c in (cell, cells[_row_path(cell)])]
            if numbers[0] != numbers[1]:
                cells[_row_path(cell, cell.selection)] = cell
    return cells


def _row_path(cell: Cell, what: str = "") -> Path:
    """`digits/flow/8.yaml`, `8-elbo.yaml`, or `8-repeat-1-elbo.yaml`."""
    dataset, prior, *names = str(cell.stratum).split("/")
    return Path(dataset, prior, "-".join([*names, *([what] if what else [])]) + ".yaml")


def write_row(origin: Origin, cell: Cell, path: Path) -> Path:
    """Writes a tested cell's files, the YAML file last; its path.

    Args:
        origin: where the cell comes from.
        cell: has a test FID.
        path: of the YAML file; the others go beside it.
    """
    records = [record for record in cell.chosen if record.test]
    path.parent.mkdir(parents=True, exist_ok=True)
    best = min(records, key=lambda r: float("inf") if r.value is None else r.value)
    export = _promise(origin, cell, records)
    export = export.model_copy(update=_copied(origin, records, best, path))
    write_atomically(path.with_suffix(".md"), model_card(export, path.name).encode())
    write_atomically(path, (_HEADER + dump_yaml(export.model_dump(mode="json"))).encode())
    return path


def _promise(origin: Origin, cell: Cell, records: Sequence[TrialRecord]) -> Export:
    fids = cell.test_fids
    assert records[0].test is not None
    return Export(
        format=FORMAT,
        study=origin.layout.name,
        stratum=str(cell.stratum),
        variant=cell.variant,
        selection=cell.selection,
        config=TrialConfig.from_stored(records[0].config),
        seeds=tuple(record.config["seed"] for record in records),
        test_fid=fids,
        mean=statistics.fmean(fids),
        standard_deviation=statistics.stdev(fids) if len(fids) > 1 else None,
        interval=confidence_interval(fids),
        parts=_parts(records),
        protocol=records[0].test.protocol,
        environment=origin.environment.as_dict(),
        gpus=origin.gpus,
        elsewhere=origin.elsewhere,
        retests=tuple(records[0].attributes.get("retests", ())),
        mlflow_runs=tuple(str(r.attributes.get("mlflow_run_id", "")) for r in records),
    )


def _parts(records: Sequence[TrialRecord]) -> dict[str, tuple[float, ...]]:
    """The numbers that every seed has, beside its test FID."""
    rows = [dict(_numbers(record)) for record in records]
    names = [name for name in rows[0] if all(row.get(name) is not None for row in rows)]
    return {name: tuple(row[name] for row in rows) for name in names}


def _numbers(record: TrialRecord) -> Iterator[tuple[str, float]]:
    assert record.test is not None
    for name in ("untrained_fid", *TEST_PARTS):
        value = getattr(record.test, name)
        if value is not None:
            yield name, value
    if record.value is not None:
        yield "val_fid", record.value
    if record.measurements:
        elbo = best_measurement(record).elbo
        if elbo is not None:
            yield "best_elbo", elbo


def _copied(
    origin: Origin, records: Sequence[TrialRecord], best: TrialRecord, path: Path
) -> dict[str, object]:
    """Copies the files that a row needs; the fields that name them."""
    samples = _copy(origin, best, SAMPLES, path.with_suffix(".png"))
    of_seeds = {
        record.config["seed"]: copy
        for record in records
        if origin.every_seed
        and (copy := _copy(origin, record, WEIGHTS, _of_seed(path, record))) is not None
    }
    one = path.with_suffix(".safetensors")
    weights = of_seeds.get(best.config["seed"]) or _copy(origin, best, WEIGHTS, one)
    files = [*of_seeds.values(), *_copy_classifier(origin, records[0], path)]
    return {
        "weights": weights.name if weights else None,
        "weights_sha256": file_hash(weights) if weights else None,
        "seed_weights": {seed: copy.name for seed, copy in of_seeds.items()},
        "samples": samples.name if samples else None,
        "files": {file.name: file_hash(file) for file in files},
        "plugins": _copy_plugins(origin, path),
    }


def _of_seed(path: Path, record: TrialRecord) -> Path:
    return path.with_name(f"{path.stem}-seed-{record.config['seed']}.safetensors")


def _copy(origin: Origin, record: TrialRecord, name: str, target: Path) -> Path | None:
    """A file of the trial's checkpoint, whole or not at all; None where it left none."""
    source = origin.layout.study / record.folder / name if record.folder else None
    if source is None or not source.is_file():
        return None
    write_atomically(target, source.read_bytes())
    return target


def _copy_classifier(origin: Origin, record: TrialRecord, path: Path) -> list[Path]:
    """The classifier that the FID looks through: trained elsewhere, it would be another one."""
    assert record.test is not None
    source = find_classifier(origin.layout.data, str(record.test.protocol.get("weights_sha256")))
    if source is None:
        return []
    write_atomically(path.parent / source.name, source.read_bytes())
    return [path.parent / source.name]


def _copy_plugins(origin: Origin, path: Path) -> dict[str, str]:
    """All plugins of the study beside the file: any of them may be its prior's."""
    copied = {}
    for plugin in sorted(origin.layout.plugins.glob("*.py")):
        write_atomically(path.parent / plugin.name, plugin.read_bytes())
        copied[plugin.name] = file_hash(plugin)
    return copied
