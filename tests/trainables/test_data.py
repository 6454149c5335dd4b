import io
import itertools
import math
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from trainables.config import DataConfig, ImageFormat
from trainables.data import ImageDataset, as_tensor, found_format, load_dataset
from trainables.error import InputError
from trainables.level import bits_offset, centre, dequantise, quantise, x_from_levels
from trainables.preparation import prepare_dataset


def digits(**fields: object) -> DataConfig:
    return DataConfig.model_validate({"dataset": "digits", **fields})


def test_digits_are_1797_images_of_17_levels_split_without_overlap() -> None:
    dataset = load_dataset(digits())
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
        for config in (digits(), digits(), digits(split_seed=1), digits(num_images=100))
    ]
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3


def test_a_subset_takes_the_same_share_of_every_split() -> None:
    whole, part = load_dataset(digits()), load_dataset(digits(num_images=600))
    for split in ("train", "validation", "test"):
        share = len(getattr(part, split)) / len(getattr(whole, split))
        assert share == pytest.approx(600 / 1797, abs=0.01)
        assert {x.tobytes() for x in getattr(part, split)} <= {
            x.tobytes() for x in getattr(whole, split)
        }


def test_a_subset_larger_than_the_set_is_refused() -> None:
    with pytest.raises(InputError, match="1797 images"):
        load_dataset(digits(num_images=2000))


def test_another_fingerprint_than_promised_is_refused() -> None:
    with pytest.raises(InputError, match="not the same images"):
        load_dataset(digits(fingerprint="0" * 64))


def test_an_unprepared_set_says_how_to_prepare_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--source 'cifar10="):
        load_dataset(DataConfig.model_validate({"dataset": "cifar10"}), tmp_path)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_quantising_takes_dequantising_back(num_levels: int) -> None:
    levels = torch.arange(num_levels, dtype=torch.uint8).reshape(1, 1, 1, -1).repeat(50, 1, 1, 1)
    x = dequantise(levels, num_levels, torch.Generator().manual_seed(0))
    assert x.min() >= -1
    assert x.max() <= 1
    # At the very edge of a level float32 may round up into the next: in less than 1 of 10,000.
    assert (quantise(x, num_levels) != levels).float().mean() < 1e-4


def test_values_outside_the_interval_go_to_the_ends() -> None:
    x = torch.tensor([-5.0, -1.0, 1.0, 5.0]).reshape(1, 1, 2, 2)
    assert quantise(x, 256).flatten().tolist() == [0, 0, 255, 255]


def test_dequantised_values_are_uniform_within_their_level() -> None:
    levels = torch.full((1000, 1, 4, 4), 3, dtype=torch.uint8)
    u = (dequantise(levels, 17, torch.Generator().manual_seed(1)) + 1) * 17 / 2 - 3
    assert u.mean().item() == pytest.approx(0.5, abs=0.02)
    assert u.var().item() == pytest.approx(1 / 12, abs=0.01)


def test_eight_bits_shift_the_density_by_seven_bits() -> None:
    assert bits_offset(256) == 7
    assert bits_offset(17) == pytest.approx(math.log2(17 / 2))


def test_a_read_only_array_becomes_a_tensor_without_a_copy() -> None:
    array = np.arange(6, dtype=np.uint8)
    array.flags.writeable = False
    assert as_tensor(array).data_ptr() == array.ctypes.data


DIGITS = DataConfig.model_validate({"dataset": "digits"})


TINY = DataConfig(dataset="tiny", format=ImageFormat(channels=3, size=8))


SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DIGITS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set `tiny` of 36 + 4 + 10 images, each labelled by its number."""
    source = tmp_path_factory.mktemp("source")
    generator = np.random.default_rng(0)
    for split, labels in (("train", range(40)), ("test", range(40, 50))):
        images = []
        for _ in labels:
            file = io.BytesIO()
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "PNG")
            images.append(file.getvalue())
        pq.write_table(pa.table({"image": images, "label": labels}), source / f"{split}.parquet")
    folder = tmp_path_factory.mktemp("data")
    prepare_dataset("tiny", str(source / "*.parquet"), folder)
    return folder


def images_of(dataset: ImageDataset) -> list[np.ndarray]:
    return [getattr(dataset, split) for split in SPLITS]


def labels_of(dataset: ImageDataset) -> list[list[int]]:
    return [getattr(dataset, f"{split}_labels").tolist() for split in SPLITS]


def test_each_label_stays_with_its_image(dataset: ImageDataset) -> None:
    from sklearn.datasets import load_digits

    whole = load_digits()
    label_of = {
        image.astype(np.uint8).tobytes(): label
        for image, label in zip(whole.images, whole.target, strict=True)
    }
    for images, labels in zip(images_of(dataset), labels_of(dataset), strict=True):
        assert [label_of[image.tobytes()] for image in images] == labels


def test_a_prepared_set_is_mapped_and_split_as_it_was_prepared(folder: Path) -> None:
    dataset = load_dataset(TINY, folder)
    assert [len(images) for images in images_of(dataset)] == [36, 4, 10]
    assert sorted(itertools.chain(*labels_of(dataset))) == list(range(50))
    assert labels_of(dataset)[2] == list(range(40, 50))
    assert not any(images.flags.writeable or images.flags.owndata for images in images_of(dataset))


@pytest.mark.parametrize("config", [DIGITS, TINY], ids=lambda config: config.dataset)
def test_a_subset_takes_the_same_share_of_each_split(config: DataConfig, folder: Path) -> None:
    whole = load_dataset(config, folder)
    half = sum(len(images) for images in images_of(whole)) // 2
    part = load_dataset(config.model_copy(update={"num_images": half}), folder)
    for few, many in zip(images_of(part), images_of(whole), strict=True):
        assert len(few) == pytest.approx(len(many) / 2, abs=1)
        assert {image.tobytes() for image in few} <= {image.tobytes() for image in many}


def test_a_subset_is_fixed_and_has_a_fingerprint_of_its_own(
    dataset: ImageDataset, folder: Path
) -> None:
    configs = [DIGITS.model_copy(update={"num_images": num}) for num in (500, 500, 600)]
    one, same, larger = (load_dataset(config) for config in configs)
    np.testing.assert_array_equal(one.train, same.train)
    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, larger.fingerprint, dataset.fingerprint}) == 3


def test_the_promised_fingerprint_must_be_found(dataset: ImageDataset) -> None:
    promised = DIGITS.model_copy(update={"fingerprint": dataset.fingerprint})
    assert load_dataset(promised).fingerprint == dataset.fingerprint
    other = DIGITS.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(InputError, match=f"{dataset.fingerprint[:12]}.*000000000000"):
        load_dataset(other)


def test_a_format_that_is_not_the_images_own_is_an_error(folder: Path) -> None:
    config = TINY.model_copy(update={"format": ImageFormat(channels=1, size=8)})
    with pytest.raises(InputError, match="but the config says"):
        load_dataset(config, folder)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("tinny", ["did you mean tiny", "cifar10", "digits", "--source 'tinny=PATH/*.parquet'"]),
        (
            "cifar10",
            [
                "known are celeba, cifar10, digits, fashion_mnist, mnist, svhn, tiny",
                "are tiny;",
                "--source 'cifar10",
            ],
        ),
    ],
)
def test_a_set_that_is_not_prepared_comes_with_what_is_and_how(
    name: str, facts: list[str], folder: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(TINY.model_copy(update={"dataset": name}), folder)
    for fact in facts:
        assert fact in str(caught.value)


def test_a_folder_is_not_needed_to_say_that_nothing_is_prepared() -> None:
    with pytest.raises(InputError, match="no folder are none"):
        load_dataset(TINY)


@pytest.mark.parametrize("num_levels", [2, 17, 100, 256])
def test_quantise_undoes_dequantise(num_levels: int) -> None:
    levels = torch.arange(num_levels, dtype=torch.uint8)
    images = levels.repeat(2_000_000 // num_levels).reshape(-1, 1, 1, num_levels)
    x = dequantise(images, num_levels, torch.Generator().manual_seed(0))
    assert x.min() >= -1
    assert x.max() < 1
    assert torch.equal(quantise(x, num_levels), images)
    assert torch.equal(quantise(centre(images, num_levels), num_levels), images)


def test_dequantised_values_are_uniform_around_the_centre_of_their_level() -> None:
    images = torch.full((1000, 1, 10, 10), 5, dtype=torch.uint8)
    x = dequantise(images, 17, torch.Generator().manual_seed(0))
    width = 2 / 17
    offset = (x - centre(images, 17)) / width
    assert offset.mean().abs() < 5e-3
    assert float(offset.var()) == pytest.approx(1 / 12, rel=0.02)


def test_noise_comes_from_the_generator_or_from_the_global_stream(dataset: ImageDataset) -> None:
    images = as_tensor(dataset.train[:9])
    own = [dequantise(images, 17, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(own[0], own[1])
    assert not torch.equal(own[0], own[2])
    torch.manual_seed(4)
    first = dequantise(images, 17)
    torch.manual_seed(4)
    assert torch.equal(dequantise(images, 17), first)


def test_a_tensor_shares_the_memory_of_a_read_only_array_without_a_warning(folder: Path) -> None:
    images = load_dataset(TINY, folder).train
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(images)
    assert tensor.data_ptr() == images.ctypes.data


def test_a_dataset_is_plain_values(dataset: ImageDataset) -> None:
    again = pickle.loads(pickle.dumps(replace(dataset)))
    np.testing.assert_array_equal(again.test, dataset.test)
    assert again.fingerprint == dataset.fingerprint


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("name", ["digits", "tiny"])
def test_a_resized_set_has_the_same_images_at_another_size(
    name: str, size: int, folder: Path
) -> None:
    small = load_dataset(as_found(name, folder), folder)
    large = load_dataset(at_size(name, folder, size), folder)
    assert large.format == small.format.model_copy(update={"size": size})
    assert labels_of(large) == labels_of(small)
    for few, many in zip(images_of(small), images_of(large), strict=True):
        assert many.shape == (len(few), small.format.channels, size, size)
        assert many.max() < small.num_levels
        means = many.mean((1, 2, 3)), few.mean((1, 2, 3))
        np.testing.assert_allclose(*means, rtol=0.15, atol=0.3)


def as_found(name: str, folder: Path, **fields: object) -> DataConfig:
    values = {"dataset": name, "format": found_format(name, folder), **fields}
    return DataConfig.model_validate(values)


def at_size(name: str, folder: Path, size: int, **fields: object) -> DataConfig:
    image = found_format(name, folder).model_copy(update={"size": size})
    return as_found(name, folder, **{"format": image, "resize": size, **fields})


def test_a_resized_set_has_a_fingerprint_of_its_own(folder: Path) -> None:
    configs = [
        as_found("tiny", folder),
        at_size("tiny", folder, 32),
        at_size("tiny", folder, 64),
        at_size("tiny", folder, 32, num_images=20),
    ]
    assert len({load_dataset(config, folder).fingerprint for config in configs}) == 4


def test_a_set_that_has_the_size_already_stays_what_it_is(folder: Path, tmp_path: Path) -> None:
    resized = load_dataset(at_size("tiny", folder, 32), folder)
    assert load_dataset(at_size("tiny", folder, 32), folder).fingerprint == resized.fingerprint
    shards = tmp_path / "shards"
    shards.mkdir()
    for split in ("train", "test"):
        images = [encoded(image) for image in resized.train]
        pq.write_table(pa.table({"image": images}), shards / f"{split}.parquet")
    prepare_dataset("large", str(shards / "*.parquet"), tmp_path)
    before = load_dataset(as_found("large", tmp_path), tmp_path)
    after = load_dataset(at_size("large", tmp_path, 32), tmp_path)
    assert after.fingerprint == before.fingerprint
    assert len(list(tmp_path.glob("*.arrow"))) == 1


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(file, "PNG")
    return file.getvalue()


def test_a_subset_of_a_resized_set_has_the_images_of_the_subset(folder: Path) -> None:
    few = load_dataset(as_found("tiny", folder, num_images=20), folder)
    large = load_dataset(at_size("tiny", folder, 32, num_images=20), folder)
    assert labels_of(large) == labels_of(few)


def test_the_format_promised_is_that_after_resizing(folder: Path) -> None:
    config = at_size("tiny", folder, 32)
    grey = config.format.model_copy(update={"channels": 1})
    with pytest.raises(InputError, match=r"size=32.*but the config says"):
        load_dataset(config.model_copy(update={"format": grey}), folder)


def test_digits_are_resized_in_memory_where_there_is_no_folder(tmp_path: Path) -> None:
    config = DataConfig.model_validate({"dataset": "digits", "resize": 32})
    here, there = load_dataset(config), load_dataset(config, tmp_path / "data")
    for one, other in zip(images_of(here), images_of(there), strict=True):
        np.testing.assert_array_equal(one, other)
    assert here.fingerprint == there.fingerprint
    assert here.format == there.format == config.format


def test_without_dequantisation_every_value_is_the_centre_of_its_level() -> None:
    images = torch.arange(17, dtype=torch.uint8).reshape(1, 1, 1, -1)
    plain = DIGITS.model_copy(update={"dequantise": False})
    assert torch.equal(x_from_levels(images, plain), centre(images, 17))
    noisy = x_from_levels(images, DIGITS, torch.Generator().manual_seed(0))
    assert not torch.equal(noisy, centre(images, 17))
    assert torch.equal(quantise(noisy, 17), images)
