"""What this machine has, what it lacks, and what to do about it: `study doctor`."""

import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from study.storage.environment import cpu_model, current_environment
from trainables.error import InputError

DISTRIBUTION = "prior-study"
GIB = 2**30
_COLORS = {"ok": "green", "note": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        level: `problem` where `study run digits` cannot work; `note` where something else may not.
        found: what is there.
        remedy: one sentence on what to do; empty where nothing needs doing.
    """

    level: Literal["ok", "note", "problem"]
    found: str
    remedy: str = ""


def examine(storage: Path, console: Console) -> int:
    """Prints what each check found; 1 where `study run digits` cannot work here, else 0."""
    findings = {name: _outcome(check) for name, check in _checks(storage).items()}
    console.print(_table(findings))
    problems = [name for name, finding in findings.items() if finding.level == "problem"]
    if problems:
        console.print(f"`study run digits` cannot work here; mend first: {', '.join(problems)}")
        return 1
    console.print("`study run digits` can run here")
    return 0


def _checks(storage: Path) -> dict[str, Callable[[], Finding]]:
    folder = storage.expanduser().absolute()
    return {
        "Python": _python,
        "packages": _packages,
        "CPU": _cpu,
        "memory": _memory,
        "GPU": _gpu,
        "storage": partial(_storage, folder),
        "Inception weights": _inception_weights,
        "data sets": partial(_datasets, folder / "data"),
        "commit": _commit,
        "Ray token": _ray_token,
    }


def _outcome(check: Callable[[], Finding]) -> Finding:
    """What the check found; what broke it, where the installation is too damaged to look."""
    try:
        return check()
    except (AttributeError, ImportError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        return Finding(
            "problem",
            f"cannot look: {type(error).__name__}: {reason}",
            "If the reason does not say more, install the environment again with `uv sync`.",
        )


def _table(findings: Mapping[str, Finding]) -> Table:
    headers = ("check", "", "found", "what to do")
    table = Table(*(Column(header, overflow="fold") for header in headers))
    for name, finding in findings.items():
        level = Text(finding.level, style=_COLORS[finding.level])
        table.add_row(name, level, Text(finding.found), Text(finding.remedy))
    return table


def _python() -> Finding:
    wanted = metadata(DISTRIBUTION)["Requires-Python"] or ""
    found = f"{platform.python_version()}, {sys.executable}"
    if SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        return Finding("ok", found)
    return Finding(
        "problem", f"{found}; needs {wanted}", "Make the environment anew with `uv sync`."
    )


def _packages() -> Finding:
    wanted = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    wanted = [needed for needed in wanted if needed.marker is None or needed.marker.evaluate()]
    complaints = [text for text in map(_complaint, wanted) if text]
    if complaints:
        return Finding("problem", "; ".join(complaints), "Install what is needed with `uv sync`.")
    shown = ", ".join(f"{name} {version(name)}" for name in ("torch", "ray", "optuna", "mlflow"))
    return Finding("ok", f"all {len(wanted)}: {shown} and others")


def _complaint(needed: Requirement) -> str | None:
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return f"{needed.name} is missing"
    if needed.specifier.contains(found, prereleases=True):
        return None
    return f"{needed.name} is {found}, needs {needed.specifier}"


def _cpu() -> Finding:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if cores > 1:
        return Finding("ok", cpu_model())
    return Finding("note", cpu_model(), "One core runs one trial at a time; expect to wait.")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.total / GIB:.0f} GiB, {memory.available / GIB:.0f} GiB of them free"
    if memory.available > 4 * GIB:
        return Finding("ok", found)
    return Finding("note", found, "Close other programs: each trial is a process with its torch.")


def _gpu() -> Finding:
    import torch

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        devices = map(torch.cuda.get_device_properties, range(count))
        found = ", ".join(f"{gpu.name} ({gpu.total_memory / GIB:.0f} GiB)" for gpu in devices)
        return Finding("ok", found, "Give trials a share of it, such as resources.gpus=0.25.")
    reason = f": {told[0].message}" if told else ""
    return Finding("note", f"none{reason}", "digits needs none; table1 in full wants one.")


def _storage(folder: Path) -> Finding:
    """The nearest folder that exists stands for one that is yet to be made."""
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".probe-") as probe:
            probe.write(b"probe")
    except OSError as error:
        return Finding(
            "problem",
            f"{folder} cannot be written: {error.strerror}",
            "Give --storage a folder that you may write.",
        )
    return _disk(folder, shutil.disk_usage(nearest).free / GIB)


def _disk(folder: Path, free: float) -> Finding:
    found = f"{folder}: {free:.1f} GiB free"
    if free > 2:
        return Finding("ok", found)
    remedy = "Make room, or give --storage a folder on a larger disk."
    return Finding("note" if free > 0.2 else "problem", found, remedy)


def _inception_weights() -> Finding:
    from trainables.fid import INCEPTION_FILE, inception_weights

    remedy = (
        f"digits needs none; for RGB images fetch {INCEPTION_FILE} (a release file of"
        " torch-fidelity) and say fid.weights=PATH, or take fid.features=classifier."
    )
    try:
        path = inception_weights(None)
    except InputError as error:
        return Finding("note", str(error), remedy)
    if path is None:
        return Finding("note", "none", remedy)
    return Finding("ok", str(path))


def _datasets(folder: Path) -> Finding:
    from trainables.data.prepared_file import prepared_names

    names = sorted(prepared_names(folder)) if folder.is_dir() else []
    if names:
        return Finding("ok", ", ".join(["digits", *names]))
    return Finding(
        "ok",
        "digits, which comes with scikit-learn",
        "Prepare others with `study data prepare NAME`.",
    )


def _commit() -> Finding:
    commit = current_environment(num_threads=1).commit
    if commit == "unknown":
        return Finding("note", commit, "Exports will name no commit; run from a git checkout.")
    if commit.endswith("+changes"):
        return Finding("note", commit, "Commit before a study that others shall repeat.")
    return Finding("ok", commit)


def _ray_token() -> Finding:
    """Whether a token exists; its value is never read, so it cannot be shown."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Finding("ok", "in RAY_AUTH_TOKEN")
    if path.is_file():
        return Finding("ok", f"{path}")
    return Finding(
        "note",
        f"none at {path}",
        "One machine needs none; before `ray up` make one with `ray get-auth-token --generate`.",
    )
