import math
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.config import DataConfig
from trainables.data import as_tensor, bits_offset, dequantise, load_dataset, quantise
from trainables.error import InputError


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
