"""A small classifier whose penultimate layer is the feature space of a data set's own FID.

Trained once on the train part of a data set, with a stream of its own: the same images give the
same classifier. Its features are at most 32 wide, so that a few hundred images fill a covariance.
"""

from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.seed import derive_seed

FEATURE_SIZE = 32
BATCH = 500
TRAIN_BATCH = 64


class Classifier(nn.Module):
    """Convolutions down to 4 × 4, a layer of features, and a linear layer of classes."""

    def __init__(self, image: ImageFormat, num_classes: int) -> None:
        """A network whose depth follows the image size."""
        super().__init__()
        num_halvings = max(1, (image.size // 4).bit_length() - 1)
        widths = [image.channels, *(min(32 * 2**i, 128) for i in range(num_halvings + 1))]
        layers: list[nn.Module] = []
        for step, (wide, deep) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(wide, deep, 3, stride=1 if step == 0 else 2, padding=1)]
            layers += [nn.BatchNorm2d(deep), nn.ReLU()]
        pooled = [nn.AdaptiveAvgPool2d(4), nn.Flatten()]
        self.num_levels = image.num_levels
        self.body = nn.Sequential(*layers, *pooled, nn.Linear(widths[-1] * 16, FEATURE_SIZE))
        self.head = nn.Linear(FEATURE_SIZE, num_classes)

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

    def _features(
        self, images: UInt8[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        x = (images + 0.5) * (2 / self.num_levels) - 1
        features: Tensor = self.body(x)
        return features


def train_classifier(
    images: UInt8[Tensor, "num channels height width"],
    labels: Int64[Tensor, " num"],
    image: ImageFormat,
    num_epochs: int,
) -> Classifier:
    """A classifier of these images; torch's global random stream is left alone.

    Args:
        images: levels of the train part.
        labels: their classes, from 0.
        image: what they look like.
        num_epochs: how long to train.

    Raises:
        InputError: there are no labels.
    """
    if int(labels.min()) < 0:
        raise InputError(
            "the images have no labels, so there is no classifier of them; use"
            " fid.features=inception"
        )
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("classifier"))
        classifier = Classifier(image, int(labels.max()) + 1)
        _fit(classifier, images, labels, num_epochs)
    return classifier.eval()


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes the weights as safetensors."""
    save_file(classifier.state_dict(), path)


def load_classifier(path: Path, image: ImageFormat) -> Classifier:
    """The classifier that was saved for such images."""
    weights = load_file(path)
    with torch.random.fork_rng():  # building draws weights, though they are replaced at once
        classifier = Classifier(image, len(weights["head.bias"]))
    classifier.load_state_dict(weights)
    return classifier.eval()


def _fit(
    classifier: Classifier,
    images: UInt8[Tensor, "num channels height width"],
    labels: Int64[Tensor, " num"],
    num_epochs: int,
) -> None:
    optimizer = torch.optim.Adam(classifier.parameters(), lr=2e-3, fused=True)
    num_steps = num_epochs * max(1, len(images) // TRAIN_BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    classifier.train()
    for _ in range(num_epochs):
        order = torch.randperm(len(images))
        for batch in order.split(TRAIN_BATCH)[: max(1, len(images) // TRAIN_BATCH)]:
            optimizer.zero_grad(set_to_none=True)
            cross_entropy(classifier(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
