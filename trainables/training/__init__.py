"""One trial's life: epochs, validation, checkpoints, sampling, and the look at the test split."""

from typing import TYPE_CHECKING, Any

from trainables.face import attribute

if TYPE_CHECKING:
    from trainables.training.trainer import Trainer as Trainer

__all__ = ["Trainer"]


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for, since the trainer imports the rest of this package."""
    return attribute(__name__, name, {"Trainer": "trainer"})
