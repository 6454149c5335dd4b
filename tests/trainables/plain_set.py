"""Two sets as configs, the digits and the prepared set `tiny`; what their splits hold."""

import numpy as np

from trainables.config import DataConfig, ImageFormat
from trainables.data.dataset import ImageDataset

DIGITS = DataConfig.model_validate({"dataset": "digits"})
TINY = DataConfig(dataset="tiny", format=ImageFormat(channels=3, size=8))
SPLITS = ("train", "validation", "test")


def images_of(dataset: ImageDataset) -> list[np.ndarray]:
    return [getattr(dataset, split) for split in SPLITS]


def labels_of(dataset: ImageDataset) -> list[list[int]]:
    return [getattr(dataset, f"{split}_labels").tolist() for split in SPLITS]
