"""Decides, launches, remembers and tells: a study of priors from search to table."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.run.launch import run_study as run_study

__all__ = ["run_study"]


def __getattr__(name: str) -> Any:
    """Loads `run_study` when it is first asked for: a command's `--help` must not load Ray."""
    if name == "run_study":
        from study.run.launch import run_study

        return run_study
    raise AttributeError(name)
