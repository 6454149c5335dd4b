"""Decides, launches, remembers and tells: a study of priors from search to table."""

from typing import TYPE_CHECKING, Any

from trainables.face import attribute

if TYPE_CHECKING:
    from study.notebook import open_study as open_study
    from study.run.launch import run_study as run_study

__all__ = ["open_study", "run_study"]


def __getattr__(name: str) -> Any:
    """Loads a name when it is first asked for: a command's `--help` must not load Ray."""
    return attribute(__name__, name, {"open_study": "notebook", "run_study": "run.launch"})
