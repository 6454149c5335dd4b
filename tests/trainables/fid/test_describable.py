"""A FID by a classifier that learnt nothing is refused; what there is to learn is described."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.config import FIDConfig, ImageFormat
from trainables.data.dataset import ImageDataset
from trainables.error import InputError
from trainables.fid import FIDEvaluator, LabelledImages, build_fid_evaluator
from trainables.fid.describable import Answers, check_accuracy, check_labels
from trainables.fid.extractor import ClassifierFeatures

FORMAT = ImageFormat(channels=1, size=8)
DRAW = np.random.default_rng(0)


def noise(num: int) -> np.ndarray:
    return DRAW.integers(0, 256, (num, 1, 8, 8), dtype=np.uint8)


def bright_or_dark(labels: np.ndarray) -> np.ndarray:
    """Images whose brightness says their class, in order of the labels."""
    levels = np.unique(labels, return_inverse=True)[1] * (200 // max(1, len(set(labels)) - 1))
    return (noise(len(labels)) // 8 + levels[:, None, None, None]).astype(np.uint8)


def features_of(
    images: np.ndarray, labels: Any, held: tuple[np.ndarray, Any] | None = None, **said: Any
) -> ClassifierFeatures:
    labelled = LabelledImages(
        images, np.asarray(labels), FORMAT, "0" * 64, "mine",
        *([(held[0], np.asarray(held[1]))] if held else []),
    )  # fmt: skip
    config = FIDConfig(classifier_epochs=said.pop("epochs", 5))
    return ClassifierFeatures(config, labelled, FORMAT, said.get("cache"))


def classes(num: int, of: int = 2) -> np.ndarray:
    return np.arange(num) % of


@pytest.mark.parametrize("label", [0, 7, 202600000000])
def test_one_class_is_refused(label: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all train images of mine are of one class.*inception"):
        features_of(noise(100), np.full(100, label), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("num", "is_refused"), [(19, True), (20, False)])
@pytest.mark.parametrize("label", [1, 5])
def test_a_class_needs_twenty_images(num: int, is_refused: bool, label: int) -> None:
    labels = np.array([0] * 60 + [label] * num)
    if is_refused:
        with pytest.raises(InputError, match=f"class {label} of mine has 19 train images"):
            features_of(bright_or_dark(labels), labels)
    else:
        features_of(bright_or_dark(labels), labels, epochs=20)


@pytest.mark.parametrize("first", [0, 202600000000])
def test_numbers_of_images_are_no_classes(first: int) -> None:
    labels = np.arange(first, first + 300)
    with pytest.raises(InputError, match="300 different labels for 300 train images: numbers of"):
        features_of(noise(300), labels)
    with pytest.raises(InputError, match="numbers of images, not classes"):
        check_labels(np.append(labels, labels[:40]), "mine")


@pytest.mark.parametrize("of", [2, 5])
def test_noise_with_labels_drawn_for_it_is_refused(of: int, tmp_path: Path) -> None:
    train, held = noise(400), noise(100)
    with pytest.raises(InputError, match=r"right on \d+ of 180 images .* chance on .*classifier_"):
        features_of(train, classes(400, of), (held, classes(100, of)), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_noise_is_refused_without_a_validation_part_too() -> None:
    with pytest.raises(InputError, match=r"right on \d+ of 80 images"):
        features_of(noise(400), classes(400))


def test_saying_the_largest_class_is_no_knowledge() -> None:
    labels = np.array([0] * 360 + [1] * 40)
    held = np.array([0] * 180 + [1] * 20)
    with pytest.raises(InputError, match="its features tell nothing"):
        features_of(noise(400), labels, (noise(200), held))


@pytest.mark.parametrize("of", [2, 3])
@pytest.mark.parametrize("is_held", [True, False])
def test_what_can_be_learnt_is_described(of: int, is_held: bool) -> None:
    labels, more = classes(300, of), classes(90, of)
    held = (bright_or_dark(more), more) if is_held else None
    assert features_of(bright_or_dark(labels), labels, held, epochs=10).size == 32


def test_ids_of_real_classes_give_the_features_of_their_numbers() -> None:
    labels = classes(300, 3)
    images = bright_or_dark(labels)
    plain, ids = (features_of(images, part) for part in (labels, 202600000001 + 50 * labels))
    assert ids.weights_sha256 == plain.weights_sha256
    gap = features_of(images, np.array([0, 1, 3])[labels])
    assert gap.weights_sha256 != plain.weights_sha256  # as it was: a class between has none


def test_the_digits_are_far_from_chance(digits: ImageDataset, tmp_path: Path) -> None:
    evaluator: FIDEvaluator = build_fid_evaluator(
        FIDConfig(classifier_epochs=1, num_samples=359),
        labelled=LabelledImages(
            digits.train, digits.train_labels, digits.format, digits.fingerprint, None,
            (digits.validation, digits.validation_labels),
        ),
        references={"test": digits.test},
        format=digits.format,
        fingerprint=digits.fingerprint,
        cache=tmp_path,
    )  # fmt: skip
    assert evaluator.protocol("test").features == "classifier"


def answers(num: int, num_right: int, of: int = 2) -> Answers:
    right = classes(num, of)
    said = right.copy()
    said[num_right:] = (right[num_right:] + 1) % of
    return Answers(said, right)


@pytest.mark.parametrize(
    ("found", "is_refused"),
    [
        (answers(20, 18), False),
        (answers(20, 12), True),
        (answers(1000, 560), False),
        (answers(1000, 510), True),
        (answers(10, 10), False),
        (answers(4, 4), True),
        (answers(0, 0), True),
        (Answers(np.zeros(100, np.int64), classes(100)), True),
    ],
)
def test_chance_is_told_from_knowledge(found: Answers, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(InputError, match="its features tell nothing"):
            check_accuracy(found, "mine")
    else:
        check_accuracy(found, "mine")


def test_the_probability_of_chance_is_exact() -> None:
    assert answers(10, 10).chance == pytest.approx(0.5)
    assert answers(10, 10).p_value == pytest.approx(0.5**10)
    assert answers(10, 9).p_value == pytest.approx(11 * 0.5**10)
    assert answers(3, 0).p_value == 1
