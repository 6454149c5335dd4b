"""Where everything of a storage and a study lies on disk."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces import StudySpec, dump_space, load_stored_space
from trainables.error import InputError
from trainables.file import write_atomically

RESERVED = ("data", "mlartifacts", "mlflow", "reproduced")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one study below a storage; all absolute.

    Attributes:
        storage: holds every study, the MLflow store and the prepared data.
        name: the study's.
    """

    storage: Path
    name: str

    @property
    def data(self) -> Path:
        """Prepared data sets and FID statistics, shared by all studies."""
        return self.storage / "data"

    @property
    def mlflow_uri(self) -> str:
        """The default MLflow store."""
        return f"sqlite:///{self.storage / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts of this study."""
        return self.storage / "mlartifacts" / self.name

    @property
    def study(self) -> Path:
        """The study's own folder."""
        return self.storage / self.name

    @property
    def spec(self) -> Path:
        """The question, with its extensions."""
        return self.study / "spec.yaml"

    @property
    def journal(self) -> Path:
        """The default ledger."""
        return self.study / "ledger.journal"

    @property
    def settings(self) -> Path:
        """Where ledger and tracking lie, when not at their defaults."""
        return self.study / "settings.json"

    @property
    def environments(self) -> Path:
        """What the study's trials ran with, one environment after the other."""
        return self.study / "environments.json"

    @property
    def lock(self) -> Path:
        """Held by the driver that runs the study."""
        return self.study / "driver.lock"

    @property
    def stop_request(self) -> Path:
        """Its existence asks the driver to checkpoint and end."""
        return self.study / "stop-request"

    @property
    def ray(self) -> Path:
        """Ray's own files while a driver runs."""
        return self.study / "ray"

    @property
    def plugins(self) -> Path:
        """Copies of the files that register the study's own priors."""
        return self.study / "plugins"

    @property
    def report(self) -> Path:
        """What people read."""
        return self.study / "report" / "report.html"

    @property
    def export(self) -> Path:
        """What people run again."""
        return self.study / "export"

    def load_spec(self) -> StudySpec:
        """The question of a study that was started.

        Raises:
            InputError: there is no such study here, or its question cannot be read.
        """
        if not self.spec.is_file():
            known = [path.parent.name for path in sorted(self.storage.glob("*/spec.yaml"))]
            there = f"; there is: {', '.join(known)}" if known else ""
            raise InputError(f"there is no study {self.name!r} in {self.storage}{there}")
        try:
            return load_stored_space(self.spec)
        except InputError as error:
            raise InputError(
                f"{error}; to restore the file, delete it and give the command again that started"
                " the study"
            ) from error

    def save_spec(self, spec: StudySpec) -> StudySpec:
        """Writes the question, whole or not at all, and keeps a copy of its plugins beside it.

        A question that it extends is kept as `spec-1.yaml`, `spec-2.yaml`, ….
        """
        copies = []
        for plugin in map(Path, spec.plugins):
            copies.append(self.plugins / plugin.name)
            self.plugins.mkdir(exist_ok=True)
            write_atomically(copies[-1], plugin.read_bytes())
        relative = tuple(str(copy.relative_to(self.study)) for copy in copies)
        stored = spec.model_copy(update={"plugins": relative})
        if self.spec.is_file():
            num_kept = len(list(self.study.glob("spec-*.yaml")))
            kept = self.study / f"spec-{num_kept + 1}.yaml"
            write_atomically(kept, self.spec.read_bytes())
        write_atomically(self.spec, dump_space(stored).encode())
        return spec.model_copy(update={"plugins": tuple(map(str, copies))})


def open_layout(storage: str | Path, name: str) -> Layout:
    """The layout of a study; nothing is made on disk.

    Raises:
        InputError: the name would leave the storage, or the storage is not a folder.
    """
    folder = Path(storage).expanduser().resolve()
    if not name or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise InputError(
            f"a study's name needs letters, digits, - and _ only, because it becomes a folder;"
            f" got {name!r}"
        )
    if name in RESERVED or name.startswith("-") or len(name) > 64:
        raise InputError(
            f"{name!r} cannot name a study: it is at most 64 long, does not begin with -, and is"
            f" none of {', '.join(RESERVED)}, which the storage needs itself"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the storage {folder} is a file; it needs to be a folder")
    return Layout(folder, name)


def make_folders(layout: Layout) -> None:
    """Makes the study's folders.

    Raises:
        InputError: the storage cannot be written.
    """
    try:
        layout.study.mkdir(parents=True, exist_ok=True)
        layout.data.mkdir(exist_ok=True)
        probe = layout.study / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"the storage {layout.storage} cannot be written: {error}") from error


def discard_if_empty(layout: Layout) -> None:
    """Takes back the folders that `make_folders` made, where nothing came to lie in them."""
    for folder in (layout.study, layout.data, layout.storage):
        with contextlib.suppress(OSError):  # not empty, or not there
            folder.rmdir()


def ledger_url(layout: Layout) -> str:
    """Where the study's ledger is: its journal, unless it was started with `--ledger`."""
    return str(_settings(layout).get("ledger") or f"journal:{layout.journal}")


def tracking_uri(layout: Layout) -> str:
    """Where the study's runs are shown: the storage's store, unless `--tracking-uri` was given."""
    return str(_settings(layout).get("tracking_uri") or layout.mlflow_uri)


def local_artifacts(layout: Layout, uri: str) -> Path | None:
    """Where artifacts go beside the storage's own store; None where a server keeps them."""
    return layout.artifacts if uri == layout.mlflow_uri else None


def save_settings(layout: Layout, ledger: str | None, tracking: str | None) -> None:
    """Keeps where ledger and tracking lie, so that later commands find them.

    Raises:
        InputError: the study was started with another ledger.
    """
    before = _settings(layout)
    if before and ledger not in (None, before["ledger"]):
        raise InputError(
            f"study {layout.name!r} has its ledger at {before['ledger'] or layout.journal};"
            f" got --ledger {ledger}"
        )
    values = {
        "ledger": ledger or before.get("ledger"),
        "tracking_uri": tracking or before.get("tracking_uri"),
    }
    write_atomically(layout.settings, json.dumps(values).encode())


def _settings(layout: Layout) -> dict[str, Any]:
    if not layout.settings.is_file():
        return {}
    try:
        values: dict[str, Any] = json.loads(layout.settings.read_text())
    except ValueError as error:
        raise InputError(
            f"{layout.settings} is damaged; it holds where ledger and tracking lie, as JSON"
        ) from error
    return values
