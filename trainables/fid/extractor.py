"""A feature space: a map from images to features; the classifier and the pixels are two."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors.torch import load_file
from torch import Tensor

from trainables.config import CLASSIFIER_FEATURES, FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid.classifier import (
    RECIPE,
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from trainables.fid.describable import (
    FEWEST_HELD_OUT,
    LEVEL,
    Answers,
    answers_of,
    answers_of_probe,
    check_accuracy,
    check_labels,
)
from trainables.protocol import values_hash
from trainables.resize import resized

RESIZE = "bilinear with antialias, rounded to levels"
RESIZE_BATCH = 500
Images = UInt8[Tensor, "num channels height width"]


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.empty((0, 1, 1, 1), np.uint8), np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """What a classifier is trained on.

    Attributes:
        images: of a train part.
        labels: their classes, from 0; -1 where there is none.
        format: what the images look like.
        fingerprint: of the data set that they are from.
        name: of that data set, where it is another one than that of the FID.
        held_out: images of its validation part and their classes, -1 where there is none.
    """

    images: UInt8[np.ndarray, "_ channels height width"]
    labels: Int64[np.ndarray, " _"]
    format: ImageFormat
    fingerprint: str
    name: str | None = None
    held_out: tuple[np.ndarray, np.ndarray] = field(default_factory=_nothing)


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


class PixelFeatures(Extractor):
    """The levels themselves, brought to 0 … 1: no network, for tests and tiny images."""

    name, resize = "pixels", "none"
    weights_sha256 = "none"

    def __init__(self, image: ImageFormat) -> None:
        """Takes what the images look like."""
        self.size, self._top = image.num_dimensions, image.num_levels - 1

    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """One feature a value, on the CPU."""
        return images.cpu().flatten(1).float() / self._top


class ClassifierFeatures(Extractor):
    """The penultimate layer of a classifier of a train part: the data set's own, or another's."""

    size = CLASSIFIER_FEATURES

    def __init__(
        self,
        config: FIDConfig,
        labelled: LabelledImages,
        image: ImageFormat,
        cache: Path | None,
        seed: int = 0,
    ) -> None:
        """Takes the classifier from the cache, or trains it.

        Args:
            config: how long it is trained.
            labelled: what on.
            image: what the images of the FID look like; another size is resized.
            cache: where classifiers are kept.
            seed: that it is trained from.

        Raises:
            InputError: there are no labels, or the classifier sees other colours than the FID has.
        """
        _refuse_other_colours(labelled, image)
        self.name = f"classifier of {labelled.name}" if labelled.name else "classifier"
        self._size = labelled.format.size
        self.resize = "none" if image.size == self._size else f"{self._size}, {RESIZE}"
        self._classifier = _classifier(config.classifier_epochs, labelled, cache, seed)
        self.weights_sha256 = _weights_hash(self._classifier.state_dict())

    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """Features of each image, on the CPU."""
        images = images.cpu()
        if images.shape[-1] != self._size:
            images = torch.cat([resized(part, self._size) for part in images.split(RESIZE_BATCH)])
        return self._classifier.features(images)


def _refuse_other_colours(labelled: LabelledImages, image: ImageFormat) -> None:
    seen = labelled.format
    if (seen.channels, seen.num_levels) != (image.channels, image.num_levels):
        raise InputError(
            f"a classifier of {labelled.name} takes images of {seen.channels} channel(s) and"
            f" {seen.num_levels} levels, but these have {image.channels} of {image.num_levels};"
            " name another set with fid.classifier_dataset"
        )


def _classifier(
    epochs: int, labelled: LabelledImages, cache: Path | None, seed: int
) -> Classifier:
    made_of = {"data": labelled.fingerprint, "epochs": epochs, "recipe": RECIPE}
    key = values_hash(made_of | ({"seed": seed} if seed else {}))[:16]
    path = cache / f"classifier-{key}.safetensors" if cache else None
    if path and path.is_file():
        return load_classifier(path, labelled.format)
    # Copies: torch takes no array that is read-only or runs backwards.
    images = torch.from_numpy(np.array(labelled.images))
    labels = torch.from_numpy(np.array(labelled.labels))
    name = labelled.name or "this data set"
    if not (labelled.labels < 0).any():
        check_labels(labelled.labels, name)
    classifier = train_classifier(images, labels, labelled.format, epochs, seed)
    check_accuracy(_answers(classifier, labelled, epochs), name)
    if path:
        save_classifier(classifier, path)
    return classifier


def _answers(classifier: Classifier, labelled: LabelledImages, epochs: int) -> Answers:
    """What the classifier says of held-out images; where that tells too little, what a probe says.

    Few images tell little, and so does a classifier that was trained for a moment only.
    """
    answers = answers_of(classifier, *labelled.held_out, labelled.labels)
    if len(answers.said) >= FEWEST_HELD_OUT and answers.p_value <= LEVEL:
        return answers
    return answers_of_probe(
        labelled.images, labelled.labels, labelled.held_out, labelled.format, epochs
    )


def find_classifier(folder: Path, weights_sha256: str) -> Path | None:
    """The file of the classifier whose weights a protocol names, if it is kept in the folder."""
    for path in sorted(folder.glob("classifier-*.safetensors")):
        if _weights_hash(load_file(path)) == weights_sha256:
            return path
    return None


def _weights_hash(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()
