"""The best config of a stratum as one file that anybody can run again, and its weights."""

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from search_spaces import complaint, dump_yaml, read_yaml
from study.environment import Environment
from study.layout import Layout
from study.record import TrialRecord
from study.report.table import Table
from trainables.checkpoint import file_hash, write_atomically
from trainables.config import Frozen, TrialConfig
from trainables.error import InputError
from trainables.plugin import load_plugins


class Export(Frozen):
    """One stratum's answer.

    Attributes:
        study: where it comes from.
        stratum: `<dataset>/<prior>/<latent_size>`.
        config: the chosen config, with the first of the seeds.
        seeds: of the confirm trials, each trained and tested once.
        test_fid: one value per seed; lower is better.
        mean: of the values.
        standard_deviation: of the values (n - 1); none for one seed.
        protocol: of these values.
        environment: what they were obtained with.
        mlflow_runs: one per seed.
        weights: file beside this one, of the seed with the best validation FID; or none.
        weights_sha256: of that file.
        plugins: files that register the config's prior, relative to this one, by their SHA-256.
    """

    study: str
    stratum: str
    config: TrialConfig
    seeds: tuple[int, ...] = Field(min_length=1)
    test_fid: tuple[float, ...] = Field(min_length=1)
    mean: float
    standard_deviation: float | None = None
    protocol: dict[str, Any]
    environment: dict[str, Any]
    mlflow_runs: tuple[str, ...] = ()
    weights: str | None = None
    weights_sha256: str | None = None
    plugins: dict[str, str] = Field(default_factory=dict)


def export_study(
    layout: Layout, table: Table, environment: Environment, folder: Path
) -> list[Path]:
    """One YAML file per stratum with a test FID, its weights beside it.

    Args:
        layout: the study's.
        table: its cells.
        environment: what the study ran with.
        folder: where the files go.

    Returns:
        The files written.
    """
    return [
        _export_cell(layout, records, environment, folder)
        for cell in table.cells
        if (records := [record for record in cell.chosen if record.test])
    ]


def load_export(path: Path) -> Export:
    """An exported file, checked.

    Raises:
        InputError: it is not one.
    """
    try:
        values = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is no exported config")
    _load_plugins(path, values.get("plugins"))
    try:
        return Export.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}: {complaint(error, Export)}") from error


def _load_plugins(path: Path, plugins: object) -> None:
    """Loads the plugins that the file names, if they are those that it was made with."""
    if not isinstance(plugins, dict):
        return
    for name, digest in plugins.items():
        plugin = path.parent / str(name)
        if not plugin.is_file() or file_hash(plugin) != digest:
            raise InputError(f"{plugin} is missing or changed; {path.name} needs it as it was")
        load_plugins([plugin])


def _export_cell(
    layout: Layout, records: Sequence[TrialRecord], environment: Environment, folder: Path
) -> Path:
    stratum = records[0].stratum
    path = folder / stratum.dataset / stratum.prior / f"{stratum.latent_size}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    best = min(records, key=lambda record: record.value or float("inf"))
    weights = _copy_weights(layout, best, path.with_suffix(".safetensors"))
    fids = [record.test.test_fid for record in records if record.test]
    protocol = records[0].test.protocol if records[0].test else {}
    export = Export(
        study=layout.name,
        stratum=str(stratum),
        config=TrialConfig.model_validate(records[0].config),
        seeds=tuple(record.config["seed"] for record in records),
        test_fid=tuple(fids),
        mean=statistics.fmean(fids),
        standard_deviation=statistics.stdev(fids) if len(fids) > 1 else None,
        protocol=protocol,
        environment=environment.as_dict(),
        mlflow_runs=tuple(str(r.attributes.get("mlflow_run_id", "")) for r in records),
        weights=weights.name if weights else None,
        weights_sha256=file_hash(weights) if weights else None,
        plugins=_copy_plugins(layout, path),
    )
    write_atomically(path, (_HEADER + dump_yaml(export.model_dump(mode="json"))).encode())
    return path


def _copy_plugins(layout: Layout, path: Path) -> dict[str, str]:
    """All plugins of the study beside the file: any of them may be its prior's."""
    copied = {}
    for plugin in sorted(layout.plugins.glob("*.py")):
        write_atomically(path.parent / plugin.name, plugin.read_bytes())
        copied[plugin.name] = file_hash(plugin)
    return copied


_HEADER = "# Run it again: study reproduce THIS_FILE. Draw from it: study sample THIS_FILE\n"


def _copy_weights(layout: Layout, record: TrialRecord, path: Path) -> Path | None:
    if record.folder is None:
        return None
    source = layout.study / record.folder / "best.safetensors"
    if not source.is_file():
        return None
    aside = path.with_suffix(".aside")
    shutil.copyfile(source, aside)
    return aside.replace(path)
