import itertools
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.plain_set import DIGITS, TINY, images_of, labels_of
from trainables.config import DataConfig, ImageFormat
from trainables.data.dataset import ImageDataset, as_tensor, load_dataset
from trainables.error import InputError


def digits_with(**fields: object) -> DataConfig:
    return DataConfig.model_validate({"dataset": "digits", **fields})


def test_digits_are_1797_images_of_17_levels_split_without_overlap() -> None:
    dataset = load_dataset(DIGITS)
    parts = [dataset.train, dataset.validation, dataset.test]
    assert sum(map(len, parts)) == 1797
    assert dataset.num_levels == 17
    assert max(int(part.max()) for part in parts) == 16
    every = np.concatenate(parts)
    from sklearn.datasets import load_digits

    original = load_digits().images.astype(np.uint8)[:, None]
    assert sorted(x.tobytes() for x in every) == sorted(x.tobytes() for x in original)


def test_the_fingerprint_names_content_split_and_subset() -> None:
    fingerprints = [
        load_dataset(config).fingerprint
        for config in (DIGITS, DIGITS, digits_with(split_seed=1), digits_with(num_images=100))
    ]
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3


def test_a_subset_larger_than_the_set_is_refused() -> None:
    with pytest.raises(InputError, match="1797 images"):
        load_dataset(digits_with(num_images=2000))


def test_each_label_stays_with_its_image(digits: ImageDataset) -> None:
    from sklearn.datasets import load_digits

    whole = load_digits()
    label_of = {
        image.astype(np.uint8).tobytes(): label
        for image, label in zip(whole.images, whole.target, strict=True)
    }
    for images, labels in zip(images_of(digits), labels_of(digits), strict=True):
        assert [label_of[image.tobytes()] for image in images] == labels


def test_a_prepared_set_is_mapped_and_split_as_it_was_prepared(tiny: Path) -> None:
    dataset = load_dataset(TINY, tiny)
    assert [len(images) for images in images_of(dataset)] == [36, 4, 10]
    assert sorted(itertools.chain(*labels_of(dataset))) == list(range(50))
    assert labels_of(dataset)[2] == list(range(40, 50))
    assert not any(images.flags.writeable or images.flags.owndata for images in images_of(dataset))


@pytest.mark.parametrize("config", [DIGITS, TINY], ids=lambda config: config.dataset)
def test_a_subset_takes_the_same_share_of_each_split(config: DataConfig, tiny: Path) -> None:
    whole = load_dataset(config, tiny)
    half = sum(len(images) for images in images_of(whole)) // 2
    part = load_dataset(config.model_copy(update={"num_images": half}), tiny)
    for few, many in zip(images_of(part), images_of(whole), strict=True):
        assert len(few) == pytest.approx(len(many) / 2, abs=1)
        assert {image.tobytes() for image in few} <= {image.tobytes() for image in many}


def test_a_subset_is_fixed_and_has_a_fingerprint_of_its_own(digits: ImageDataset) -> None:
    configs = [DIGITS.model_copy(update={"num_images": num}) for num in (500, 500, 600)]
    one, same, larger = (load_dataset(config) for config in configs)
    np.testing.assert_array_equal(one.train, same.train)
    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, larger.fingerprint, digits.fingerprint}) == 3


def test_the_promised_fingerprint_must_be_found(digits: ImageDataset) -> None:
    promised = DIGITS.model_copy(update={"fingerprint": digits.fingerprint})
    assert load_dataset(promised).fingerprint == digits.fingerprint
    other = DIGITS.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(
        InputError, match=f"{digits.fingerprint[:12]}.*000000000000.*not the same images"
    ):
        load_dataset(other)


def test_a_format_that_is_not_the_images_own_is_an_error(tiny: Path) -> None:
    config = TINY.model_copy(update={"format": ImageFormat(channels=1, size=8)})
    with pytest.raises(InputError, match="but the config says"):
        load_dataset(config, tiny)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("tinny", ["did you mean tiny", "cifar10", "digits", "--source 'tinny=PATH/*.parquet'"]),
        (
            "cifar10",
            [
                "known are celeba, cifar10, digits, fashion_mnist, mnist, svhn, tiny",
                "are tiny;",
                "--source 'cifar10=",
            ],
        ),
    ],
)
def test_a_set_that_is_not_prepared_comes_with_what_is_and_how(
    name: str, facts: list[str], tiny: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(TINY.model_copy(update={"dataset": name}), tiny)
    for fact in facts:
        assert fact in str(caught.value)


def test_a_folder_is_not_needed_to_say_that_nothing_is_prepared() -> None:
    with pytest.raises(InputError, match="no folder are none"):
        load_dataset(TINY)


def test_a_tensor_shares_the_memory_of_a_read_only_array_without_a_warning(tiny: Path) -> None:
    images = load_dataset(TINY, tiny).train
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(images)
    assert tensor.data_ptr() == images.ctypes.data


def test_a_dataset_is_plain_values(digits: ImageDataset) -> None:
    # As it travels to workers; the bytes are our own.
    again = pickle.loads(pickle.dumps(replace(digits)))
    np.testing.assert_array_equal(again.test, digits.test)
    assert again.fingerprint == digits.fingerprint
