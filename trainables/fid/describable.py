"""Whether a classifier's features can describe images: its labels, and what it learnt of them.

Features of a classifier that learnt nothing are all alike, and so are any two sets of images by
them: between noise and other noise, one class gave a FID of 0.0005.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.fid.classifier import Classifier, class_numbers, train_classifier
from trainables.seed import derive_seed

FEWEST_OF_A_CLASS = 20
# Of fewer held-out images chance is not told from knowledge.
FEWEST_HELD_OUT = 50
PROBE_EPOCHS, MOST_PROBED = 30, 5000
LEVEL = 0.01
OTHERS = (
    "take a classifier of another data set (fid.classifier_dataset, or --classifier-dataset) or"
    " other features (fid.features=inception, or --features inception)"
)
Images = UInt8[np.ndarray, "_ channels height width"]
Labels = Int64[np.ndarray, " _"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What classifiers said of images that they were not trained on."""

    said: Labels
    right: Labels

    def with_more(self, more: "Answers") -> "Answers":
        """These and others."""
        return Answers(
            np.concatenate([self.said, more.said]), np.concatenate([self.right, more.right])
        )

    @property
    def num_right(self) -> int:
        """Images of the class that was said."""
        return int((self.said == self.right).sum())

    @property
    def chance(self) -> float:
        """Share that would be right if what is said were independent of what is (Cohen 1960)."""
        num = max(len(self.said), len(self.right), 1)
        top = int(max(self.said.max(initial=0), self.right.max(initial=0))) + 1
        said, right = (np.bincount(part, minlength=top) / num for part in (self.said, self.right))
        return float(said @ right)

    @property
    def p_value(self) -> float:
        """Of so many right ones or more by chance (exact, binomial)."""
        if not len(self.said):
            return 1.0
        chance = min(1.0, self.chance)
        from scipy.special import bdtrc  # of all of a trial only this needs it

        # So many or more is more than one fewer.
        return float(bdtrc(self.num_right - 1, len(self.said), chance)) if self.num_right else 1.0


def check_labels(labels: Labels, name: str) -> None:
    """Refuses labels that no classifier can learn from.

    Args:
        labels: of the train images, all of which have one.
        name: of their data set.

    Raises:
        InputError: they are of one class, of as many as images, or of classes with fewer than 20
            images.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) == 1:
        raise InputError(
            f"all train images of {name} are of one class, so a classifier of them can tell"
            f" nothing apart; {OTHERS}"
        )
    if len(classes) > len(labels) / 2:
        raise InputError(
            f"{name} has {len(classes):,} different labels for {len(labels):,} train images:"
            f" numbers of images, not classes that a classifier could learn; {OTHERS}"
        )
    least = int(counts.argmin())
    if counts[least] < FEWEST_OF_A_CLASS:
        raise InputError(
            f"class {classes[least]} of {name} has {counts[least]} train images, and a classifier"
            f" needs {FEWEST_OF_A_CLASS} of each class; {OTHERS}"
        )


def check_accuracy(answers: Answers, name: str) -> None:
    """Refuses a classifier that is right no more often than by chance.

    Raises:
        InputError: it may be chance at a level of 1 %.
    """
    if answers.p_value > LEVEL:
        raise InputError(
            f"a classifier of {name} is right on {answers.num_right:,} of"
            f" {len(answers.said):,} images that it was not trained on, and chance on"
            f" {answers.chance * len(answers.said):,.1f}: its features tell nothing of them;"
            f" {OTHERS}"
        )


def answers_of(classifier: Classifier, images: Images, labels: Labels, train: Labels) -> Answers:
    """What a classifier says of images; those of no class that it knows are left out.

    Args:
        classifier: trained on the numbers of `class_numbers`.
        images: to classify.
        labels: their classes, as their data set numbers them.
        train: labels of its train images.
    """
    classes, first = np.unique(train, return_index=True)
    is_known = np.isin(labels, classes)
    numbers = class_numbers(torch.from_numpy(np.array(train))).numpy()[first]
    right = numbers[np.searchsorted(classes, labels[is_known])]
    if not len(right):
        return Answers(right, right)
    said = classifier.classes(torch.from_numpy(np.array(images[is_known]))).numpy()
    return Answers(said, right)


def answers_of_probe(
    images: Images,
    labels: Labels,
    held: tuple[np.ndarray, np.ndarray],
    image: ImageFormat,
    epochs: int,
) -> Answers:
    """What a classifier of four fifths of the train images says of the last fifth and of others.

    It is trained for longer than a FID may ask for, on a few thousand images: whether there is
    anything to learn of them is the question, not how far a short training came.

    Args:
        images: of the train part.
        labels: their classes.
        held: further images that it is asked about, and their classes.
        image: what they look like.
        epochs: for which the FID's own classifier is trained.
    """
    order = np.random.default_rng(derive_seed("probe")).permutation(len(images))[:MOST_PROBED]
    asked, kept = np.split(order, [len(order) // 5])
    probe = train_classifier(
        torch.from_numpy(np.array(images[kept])), torch.from_numpy(labels[kept]), image,
        max(epochs, PROBE_EPOCHS),
    )  # fmt: skip
    parts = [(images[asked], labels[asked]), held]
    first, second = (answers_of(probe, *part, labels[kept]) for part in parts)
    return first.with_more(second)
