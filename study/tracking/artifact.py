"""The files that a run holds: a trial's newest checkpoint, and its history as Parquet."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces import StudySpec, dump_space
from study.record import TrialRecord
from trainables.checkpoint import newest_checkpoint

# Pictures as soon as there are some; the rest when the trial has ended.
AT_THE_END = ("config.json", "best.safetensors", "manifest.json")


def artifacts(study_folder: Path, record: TrialRecord, aside: Path) -> Mapping[str, Path]:
    """Files of a trial by name.

    Args:
        study_folder: holds the trials' checkpoints.
        record: the trial.
        aside: an empty folder for files that are made for this.
    """
    path = Path("trials", record.phase, str(record.stratum), str(record.number))
    checkpoint = newest_checkpoint(study_folder / path)
    if checkpoint is None:
        return {}
    files = {file.name: file for file in sorted(checkpoint.folder.glob("*.png"))}
    if record.state == "RUNNING":
        return files
    kept = (checkpoint.folder / name for name in AT_THE_END)
    files |= {file.name: file for file in kept if file.is_file()}
    return files | {"history.parquet": _write_history(record, aside / "history.parquet")}


def write_spec(spec: StudySpec, folder: Path) -> Mapping[str, Path]:
    """The question, as a file by name."""
    path = folder / "spec.yaml"
    path.write_text(dump_space(spec))
    return {path.name: path}


def _write_history(record: TrialRecord, path: Path) -> Path:
    """A row per epoch, a column per number."""
    rows = [measurement.scalars() for measurement in record.measurements]
    columns = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: [row.get(name) for row in rows] for name in columns})
    pq.write_table(table, path)
    return path
