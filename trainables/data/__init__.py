"""Data sets: from images as they lie to one prepared file, and from that to arrays."""

from typing import TYPE_CHECKING, Any

from trainables.face import attribute

if TYPE_CHECKING:
    from trainables.data.dataset import ImageDataset as ImageDataset
    from trainables.data.dataset import load_dataset as load_dataset

__all__ = ["ImageDataset", "load_dataset"]


def __getattr__(name: str) -> Any:
    """Loading a set loads torch, which preparing one does not need."""
    return attribute(__name__, name, dict.fromkeys(__all__, "dataset"))
