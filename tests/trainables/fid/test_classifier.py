from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.config import CLASSIFIER_FEATURES, ImageFormat
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.error import InputError
from trainables.fid.classifier import (
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)


def trained(digits: ImageDataset, epochs: int = 1, seed: int = 0) -> Classifier:
    images, labels = as_tensor(digits.train), as_tensor(digits.train_labels)
    return train_classifier(images, labels, digits.format, epochs, seed)


def test_it_tells_digits_apart_that_it_has_not_seen(digits: ImageDataset) -> None:
    classifier = trained(digits, epochs=10)
    with torch.no_grad():
        found = classifier(as_tensor(digits.validation)).argmax(1)
    assert (found.numpy() == digits.validation_labels).mean() > 0.95


def test_the_same_images_give_the_same_classifier_and_another_seed_another(
    digits: ImageDataset,
) -> None:
    images = as_tensor(digits.validation)
    one, same, other = (trained(digits, seed=seed).features(images) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_features_are_finite_and_none_is_constant(digits: ImageDataset) -> None:
    features = trained(digits).features(as_tensor(digits.validation))
    assert features.shape == (359, CLASSIFIER_FEATURES)
    assert torch.isfinite(features).all()
    assert (features.std(0) > 0).all()


def test_features_do_not_depend_on_the_other_images(digits: ImageDataset) -> None:
    classifier, images = trained(digits), as_tensor(digits.train)
    alone = classifier.features(images[-3:])
    torch.testing.assert_close(classifier.features(images)[-3:], alone, rtol=1e-4, atol=1e-5)


def test_training_and_loading_leave_the_random_numbers_of_the_caller_alone(
    digits: ImageDataset, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    save_classifier(trained(digits), tmp_path / "classifier.safetensors")
    load_classifier(tmp_path / "classifier.safetensors", digits.format)
    assert torch.equal(torch.rand(4), expected)


def test_a_saved_classifier_gives_the_same_features(digits: ImageDataset, tmp_path: Path) -> None:
    classifier, images = trained(digits), as_tensor(digits.test)
    save_classifier(classifier, tmp_path / "classifier.safetensors")
    loaded = load_classifier(tmp_path / "classifier.safetensors", digits.format)
    assert torch.equal(loaded.features(images), classifier.features(images))


def test_a_damaged_classifier_is_not_taken(digits: ImageDataset, tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    save_classifier(trained(digits), path)
    with pytest.raises(InputError, match="remove it and it is trained again"):
        load_classifier(path, ImageFormat(channels=3, size=32))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="remove it and it is trained again"):
        load_classifier(path, digits.format)


@pytest.mark.parametrize("num_unlabelled", [1, 1079])
def test_without_labels_the_alternative_is_named(
    digits: ImageDataset, num_unlabelled: int
) -> None:
    labels = np.where(np.arange(1079) < num_unlabelled, -1, digits.train_labels)
    remedies = "fid.classifier_dataset=cifar10, or use fid.features=inception"
    with pytest.raises(InputError, match=f"{num_unlabelled} of 1079.*{remedies}"):
        train_classifier(as_tensor(digits.train), as_tensor(labels), digits.format, 1)


@pytest.mark.parametrize("size", [4, 8, 13, 28, 32, 64, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_have_features(size: int, channels: int) -> None:
    classifier = Classifier(ImageFormat(channels=channels, size=size), 10)
    images = torch.randint(256, (2, channels, size, size), dtype=torch.uint8)
    assert classifier.features(images).shape == (2, CLASSIFIER_FEATURES)
