"""Exported rows, run again: what is to be run, and what came of it."""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from study.cluster.jobs import Job, run_side_by_side
from study.export.export import Export, beside, load_export
from study.export.table_folder import FILE, load_table_folder
from study.reproduce.rerun import Rerun, run_again
from study.reproduce.verdict import Judgement, Obtained, Promise, judge, judge_protocol
from study.storage.environment import Environment, current_environment
from study.storage.layout import open_layout
from trainables.checkpoint import config_hash
from trainables.config import TrialConfig
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.error import InputError
from trainables.file import write_atomically
from trainables.seed import derive_seed
from trainables.training.evaluator import evaluator_for, ready_evaluator

FRESH = "reproduce"
Tell = Callable[["Row", int, Obtained | str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """An exported row and the seeds that it is run again with.

    Attributes:
        path: of its YAML file.
        export: what the file says.
        seeds: those promised, or fresh ones.
    """

    path: Path
    export: Export
    seeds: tuple[int, ...]

    @property
    def environment(self) -> Environment:
        """What the promise was made with."""
        return Environment.from_dict(self.export.environment)

    @property
    def promise(self) -> Promise:
        """What the file says of its seeds."""
        numbers = dict(zip(self.export.seeds, self.export.promises(), strict=True))
        return Promise(numbers, self.export.protocol, self.environment)

    def config(self, seed: int) -> TrialConfig:
        """The config with one of the seeds."""
        return self.export.config.model_copy(update={"seed": seed})


def find_rows(target: Path, num_fresh: int | None) -> list[Row]:
    """The rows of an exported file or folder.

    Args:
        target: a YAML file, a folder of `study export --table`, or one of `study export`.
        num_fresh: how many fresh seeds to take instead of those promised.

    Raises:
        InputError: there is nothing to run again, or a promise that fresh seeds cannot be held to.
    """
    rows = [_row(path, num_fresh) for path in _files(target)]
    for row in rows:
        _check_environment(row)
    return rows


def reproduce(
    rows: Sequence[Row], storage: Path, address: str, tell: Tell = lambda row, seed, came: None
) -> list[Judgement]:
    """Trains and tests every seed of every row again, side by side, and judges each row.

    What was interrupted goes on from its checkpoints when it is asked for again.

    Args:
        rows: what to run.
        storage: holds the prepared data; checkpoints lie there, too, until all is done.
        address: of a Ray cluster; see `study.cluster.tune.cluster`.
        tell: told each seed that has come.

    Raises:
        InputError: a data set or a file is not at hand.
    """
    data = open_layout(storage, "any").data
    datasets = _datasets(rows, data)
    early = {place: _early_judgement(row, datasets, data) for place, row in enumerate(rows)}
    jobs = [
        (place, _rerun(row, seed, storage.resolve()))
        for place, row in enumerate(rows)
        if early[place] is None
        for seed in row.seeds
    ]
    came: dict[int, list[Obtained | str]] = {place: [] for place in early}
    reruns, gpus = [rerun for _, rerun in jobs], max(row.export.gpus for row in rows)
    if reruns:
        asked = [Job(rerun, rerun.dataset, rerun.num_threads) for rerun in reruns]
        for number, result in run_side_by_side(run_again, asked, datasets, address, gpus):
            place, rerun = jobs[number]
            came[place].append(result)
            tell(rows[place], rerun.config["seed"], result)
    _tidy(reruns)
    return [early[place] or _judgement(rows[place], came[place]) for place in early]


def _tidy(reruns: Sequence[Rerun]) -> None:
    """Takes away what would only be needed to go on."""
    for folder in (Path(rerun.folder) for rerun in reruns):
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another one goes on there
            folder.parent.rmdir()


def _files(target: Path) -> list[Path]:
    if not target.is_dir():
        return [target]
    if (target / FILE).is_file():
        return [target / row for row in load_table_folder(target).rows]
    found = [path for path in sorted(target.rglob("*.yaml")) if path.name != "spec.yaml"]
    if not found:
        raise InputError(f"{target} holds no exported file")
    return found


def _row(path: Path, num_fresh: int | None) -> Row:
    export = load_export(path)
    if num_fresh is None:
        return Row(path, export, export.seeds)
    if len(export.seeds) < 2:
        raise InputError(
            f"{path} promises one seed, whose spread nobody knows, so fresh seeds cannot be held"
            " to it; leave --seeds away"
        )
    fresh = (derive_seed(FRESH, export.title, *export.seeds, n) for n in range(num_fresh))
    return Row(path, export, tuple(fresh))


def _check_environment(row: Row) -> None:
    try:
        row.environment  # noqa: B018  # it is checked by being made
    except InputError as error:
        raise InputError(f"{row.path}: {error}") from error


def _datasets(rows: Sequence[Row], folder: Path) -> dict[str, ImageDataset]:
    """The images of all rows, once each."""
    configs = {_key(row): row.export.config.data for row in rows}
    return {key: load_dataset(config, folder) for key, config in configs.items()}


def _key(row: Row) -> str:
    return row.export.config.data.model_dump_json()


def _early_judgement(row: Row, datasets: dict[str, ImageDataset], data: Path) -> Judgement | None:
    """Readies the FID; where it is another one than promised, nothing needs to be trained."""
    torch.set_num_threads(row.environment.num_threads)
    _bring_classifiers(row, data)
    config, dataset = row.export.config, datasets[_key(row)]
    protocol = evaluator_for(config, dataset, data).protocol("test")
    judgement = judge_protocol(row.promise, protocol.as_dict())
    if judgement is None:
        ready_evaluator(config, dataset, data)
    return judgement


def _bring_classifiers(row: Row, data: Path) -> None:
    """The classifiers that lie beside a row, where the storage has none for the same images."""
    for name, digest in row.export.files.items():
        if name.startswith("classifier-") and not (data / name).exists():
            data.mkdir(parents=True, exist_ok=True)
            write_atomically(data / name, beside(row.path, name, digest).read_bytes())


def _rerun(row: Row, seed: int, storage: Path) -> Rerun:
    config = row.config(seed)
    # Another commit or version does not go on with what this one began.
    place = hashlib.sha256(
        repr((config_hash(config), current_environment(row.environment.num_threads))).encode()
    )
    return Rerun(
        config=config.model_dump(mode="json"),
        dataset=_key(row),
        plugins=tuple(str((row.path.parent / name).resolve()) for name in row.export.plugins),
        data_folder=str(storage / "data"),
        folder=str(storage / "reproduced" / place.hexdigest()[:16]),
        num_threads=row.environment.num_threads,
    )


def _judgement(row: Row, came: Sequence[Obtained | str]) -> Judgement:
    for result in came:
        if isinstance(result, str):
            return Judgement("not reproduced", f"a seed did not end: {result}")
    return judge(row.promise, [result for result in came if isinstance(result, Obtained)])
