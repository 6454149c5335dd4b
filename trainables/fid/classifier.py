"""A small classifier whose penultimate layer is the feature space of a FID.

Trained once on the train part of a data set, with a stream of its own: the same images give the
same classifier. Its features are at most 32 wide, so that a few hundred images fill a covariance.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.config import CLASSIFIER_FEATURES, ImageFormat
from trainables.error import InputError
from trainables.file import write_atomically
from trainables.seed import derive_seed

LEARNING_RATE = 2e-3
# Part of every key that a trained classifier is kept under: another architecture or way of
# training gets another name here.
RECIPE = "conv-2"
BATCH = 500
TRAIN_BATCH = 64


class Classifier(nn.Module):
    """Convolutions down to 4 × 4, a layer of features, and a linear layer of classes."""

    def __init__(self, format: ImageFormat, num_classes: int) -> None:
        """Depth follows the image size; larger images start with fewer channels."""
        super().__init__()
        num_halvings = max(1, (format.size // 4).bit_length() - 1)
        first = max(8, min(32, 512 // format.size))
        widths = [format.channels, *(min(first * 2**i, 128) for i in range(num_halvings + 1))]
        layers: list[nn.Module] = []
        for step, (wide, deep) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(wide, deep, 3, stride=1 if step == 0 else 2, padding=1)]
            layers += [nn.BatchNorm2d(deep), nn.ReLU()]
        pooled = [nn.AdaptiveAvgPool2d(4), nn.Flatten()]
        self.num_levels = format.num_levels
        self.body = nn.Sequential(
            *layers, *pooled, nn.Linear(widths[-1] * 16, CLASSIFIER_FEATURES)
        )
        self.head = nn.Linear(CLASSIFIER_FEATURES, num_classes)

    def forward(
        self, images: UInt8[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        logits: Tensor = self.head(self._features(images).relu())
        return logits

    @torch.no_grad()
    def features(
        self, images: UInt8[Tensor, "num channels height width"]
    ) -> Float[Tensor, "num features"]:
        """Features of many images, a batch at a time, before the last nonlinearity."""
        self.eval()
        return torch.cat([self._features(batch) for batch in images.split(BATCH)])

    @torch.no_grad()
    def classes(self, images: UInt8[Tensor, "num channels height width"]) -> Int64[Tensor, " num"]:
        """The likeliest class of each of many images, a batch at a time."""
        self.eval()
        return torch.cat([self(batch).argmax(dim=1) for batch in images.split(BATCH)])

    def _features(
        self, images: UInt8[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        x = (images + 0.5) * (2 / self.num_levels) - 1
        features: Tensor = self.body(x)
        return features


def train_classifier(
    images: UInt8[Tensor, "num channels height width"],
    labels: Int64[Tensor, " num"],
    format: ImageFormat,
    epochs: int,
    seed: int = 0,
) -> Classifier:
    """A classifier of these images, the same one whenever the number of threads is the same.

    Args:
        images: levels of the train part.
        labels: their classes, from 0.
        format: what the images look like.
        epochs: how long to train.
        seed: of the first weights and of the order of images.

    Raises:
        InputError: there are images without a label.
    """
    num_unlabelled = int((labels < 0).sum())
    if num_unlabelled:
        raise InputError(
            f"{num_unlabelled} of {len(labels)} training images have no label, so no classifier"
            " can be trained on them; take one of a labelled data set, such as"
            " fid.classifier_dataset=cifar10, or use fid.features=inception"
        )
    labels = class_numbers(labels)
    with _own_stream(seed):
        classifier = Classifier(format, int(labels.max()) + 1)
        _fit(classifier, images, labels, epochs)
    return classifier.eval()


def class_numbers(labels: Int64[Tensor, " num"]) -> Int64[Tensor, " num"]:
    """The labels as numbers that a layer of logits can have.

    They stay what they are unless most numbers below the largest are no class, as with ids from
    202600000001 on; these are counted in order.
    """
    classes, numbers = labels.unique(return_inverse=True)
    is_near_dense = int(classes[0]) >= 0 and int(classes[-1]) + 1 <= 2 * len(classes)
    return labels if is_near_dense else numbers


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes the weights as safetensors, whole or not at all."""
    write_atomically(path, save(classifier.state_dict()))


def load_classifier(path: Path, format: ImageFormat) -> Classifier:
    """The classifier that was saved for such images.

    Raises:
        InputError: the file is damaged, or holds a classifier of other images.
    """
    try:
        weights = load_file(path)
        with _own_stream(0):  # building draws weights, though they are replaced at once
            classifier = Classifier(format, len(weights["head.bias"]))
        classifier.load_state_dict(weights)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{path} holds no classifier of such images; remove it and it is trained again"
        ) from error
    return classifier.eval()


@contextmanager
def _own_stream(seed: int) -> Iterator[None]:
    """A random stream for the CPU, where classifiers are trained; the caller's is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed("classifier", seed))
        yield


def _fit(
    classifier: Classifier,
    images: UInt8[Tensor, "num channels height width"],
    labels: Int64[Tensor, " num"],
    epochs: int,
) -> None:
    optimizer = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE, fused=True)
    num_steps = epochs * max(1, len(images) // TRAIN_BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    classifier.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for batch in order.split(TRAIN_BATCH)[: max(1, len(images) // TRAIN_BATCH)]:
            optimizer.zero_grad(set_to_none=True)
            logits = classifier(_shifted(images[batch]))
            cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
            schedule.step()


def _shifted(
    images: UInt8[Tensor, "batch channels height width"],
) -> UInt8[Tensor, "batch channels height width"]:
    """A batch moved by up to an eighth of its size, so that it is not learnt by heart."""
    reach = images.shape[-1] // 8
    down, right = torch.randint(-reach, reach + 1, (2,)).tolist()
    return images.roll((down, right), (-2, -1))
