"""A feature space: a map from images to features, and the classifier as one."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from trainables.classifier import (
    FEATURE_SIZE,
    RECIPE,
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from trainables.config import FIDConfig, ImageFormat
from trainables.fid.protocol import values_hash

Images = UInt8[Tensor, "num channels height width"]


class Extractor(ABC):
    """A map from images to features.

    Attributes:
        name: as in a protocol.
        resize: as in a protocol.
        size: number of features.
        weights_sha256: of the weights.
    """

    name: str
    resize: str
    size: int
    weights_sha256: str

    @abstractmethod
    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """Features of each image, on the CPU."""


class ClassifierFeatures(Extractor):
    """The penultimate layer of a classifier of the data set's own train part."""

    name = "classifier"
    resize = "none"
    size = FEATURE_SIZE

    def __init__(
        self,
        config: FIDConfig,
        train: UInt8[np.ndarray, "_ channels height width"],
        train_labels: np.ndarray,
        image: ImageFormat,
        fingerprint: str,
        cache: Path | None,
    ) -> None:
        """Takes the classifier from the cache, or trains it.

        Raises:
            InputError: the images have no labels.
        """
        epochs = config.classifier_epochs
        key = values_hash({"data": fingerprint, "epochs": epochs, "recipe": RECIPE})[:16]
        path = cache / f"classifier-{key}.safetensors" if cache else None
        if path and path.is_file():
            self._classifier = load_classifier(path, image)
        else:
            self._classifier = _trained(train, train_labels, image, epochs)
            if path:
                save_classifier(self._classifier, path)
        self.weights_sha256 = _weights_hash(self._classifier.state_dict())

    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """Features of each image, on the CPU."""
        return self._classifier.features(images.cpu())


def _trained(
    train: UInt8[np.ndarray, "_ channels height width"],
    train_labels: np.ndarray,
    image: ImageFormat,
    epochs: int,
) -> Classifier:
    # Copies: torch takes no array that is read-only or runs backwards.
    images, labels = torch.from_numpy(np.array(train)), torch.from_numpy(np.array(train_labels))
    return train_classifier(images, labels, image, epochs)


def _weights_hash(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()
