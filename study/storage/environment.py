"""What a result was obtained with: versions, commit, device, threads."""

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from trainables.error import InputError
from trainables.file import write_atomically

PACKAGES = (
    "torch", "torchvision", "torch-fidelity", "zuko", "numpy", "scipy", "scikit-learn",
    "safetensors", "pyarrow", "ray", "optuna", "mlflow", "prior-study",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Environment:
    """Where numbers come from; two equal ones give the same numbers to the last digit.

    Attributes:
        python: version of the interpreter.
        packages: version by distribution; `missing` where it is not installed.
        commit: of this platform's checkout, with `+changes` where it was edited; or `unknown`.
        device: `cpu`, or the GPU's name.
        cpu_model: as the system names it.
        num_threads: threads of one trial on the CPU.
    """

    python: str
    packages: dict[str, str]
    commit: str
    device: str
    cpu_model: str
    num_threads: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`.

        Raises:
            InputError: a field is missing, or there is one too many.
        """
        try:
            return cls(**values)
        except TypeError as error:
            fields = ", ".join(cls.__slots__)
            raise InputError(
                f"an environment needs the fields {fields}; got {', '.join(values) or 'none'}"
            ) from error

    def first_difference(self, other: Self) -> str | None:
        """The first field that could move a number, with both values; the commit counts last."""
        for name in ("device", "cpu_model", "num_threads", "python"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{name}: {mine} against {theirs}"
        for package in PACKAGES:
            mine, theirs = self.packages.get(package), other.packages.get(package)
            if mine != theirs:
                return f"{package}: {mine} against {theirs}"
        if self.commit != other.commit:
            return f"commit: {self.commit} against {other.commit}"
        return None


def current_environment(num_threads: int, device: str = "cpu") -> Environment:
    """The environment of this process; `device` as `torch` names it."""
    return Environment(
        python=platform.python_version(),
        packages={package: _version(package) for package in PACKAGES},
        commit=_commit(),
        device=device,
        cpu_model=cpu_model(),
        num_threads=num_threads,
    )


def remember_environment(path: Path, environment: Environment) -> None:
    """Adds what a study runs with now, if it is not what it ran with last."""
    known = load_environments(path)
    if not known or known[-1] != environment:
        values = [one.as_dict() for one in (*known, environment)]
        write_atomically(path, json.dumps(values, indent=1).encode())


def load_environments(path: Path) -> list[Environment]:
    """Those that a study ran with, the last one last; none for a study of an earlier version."""
    if not path.is_file():
        return []
    return [Environment.from_dict(values) for values in json.loads(path.read_text())]


def cpu_model() -> str:
    """The CPU's name with its number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0].partition(":")[2].strip() if names else name
    return f"{name} ({os.cpu_count()} cores)"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _commit() -> str:
    folder = Path(__file__).parent
    commit = _git("rev-parse", "HEAD", folder=folder)
    if not commit:
        return "unknown"
    return commit + ("+changes" if _git("status", "--porcelain", folder=folder) else "")


def _git(*arguments: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
