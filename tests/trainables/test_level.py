import math

import pytest
import torch

from tests.trainables.plain_set import DIGITS
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.level import bits_offset, centre, dequantise, quantise, x_from_levels


@pytest.mark.parametrize("num_levels", [2, 17, 100, 256])
def test_quantise_undoes_dequantise(num_levels: int) -> None:
    levels = torch.arange(num_levels, dtype=torch.uint8)
    images = levels.repeat(2_000_000 // num_levels).reshape(-1, 1, 1, num_levels)
    x = dequantise(images, num_levels, torch.Generator().manual_seed(0))
    assert x.min() >= -1
    assert x.max() < 1
    assert torch.equal(quantise(x, num_levels), images)
    assert torch.equal(quantise(centre(images, num_levels), num_levels), images)


def test_values_outside_the_interval_go_to_the_ends() -> None:
    x = torch.tensor([-5.0, -1.0, 1.0, 5.0]).reshape(1, 1, 2, 2)
    assert quantise(x, 256).flatten().tolist() == [0, 0, 255, 255]


def test_dequantised_values_are_uniform_within_their_level() -> None:
    levels = torch.full((1000, 1, 4, 4), 3, dtype=torch.uint8)
    u = (dequantise(levels, 17, torch.Generator().manual_seed(1)) + 1) * 17 / 2 - 3
    assert u.mean().item() == pytest.approx(0.5, abs=0.02)
    assert u.var().item() == pytest.approx(1 / 12, abs=0.01)


def test_dequantised_values_are_uniform_around_the_centre_of_their_level() -> None:
    images = torch.full((1000, 1, 10, 10), 5, dtype=torch.uint8)
    x = dequantise(images, 17, torch.Generator().manual_seed(0))
    width = 2 / 17
    offset = (x - centre(images, 17)) / width
    assert offset.mean().abs() < 5e-3
    assert float(offset.var()) == pytest.approx(1 / 12, rel=0.02)


def test_noise_comes_from_the_generator_or_from_the_global_stream(digits: ImageDataset) -> None:
    images = as_tensor(digits.train[:9])
    own = [dequantise(images, 17, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(own[0], own[1])
    assert not torch.equal(own[0], own[2])
    torch.manual_seed(4)
    first = dequantise(images, 17)
    torch.manual_seed(4)
    assert torch.equal(dequantise(images, 17), first)


def test_without_dequantisation_every_value_is_the_centre_of_its_level() -> None:
    images = torch.arange(17, dtype=torch.uint8).reshape(1, 1, 1, -1)
    plain = DIGITS.model_copy(update={"dequantise": False})
    assert torch.equal(x_from_levels(images, plain), centre(images, 17))
    noisy = x_from_levels(images, DIGITS, torch.Generator().manual_seed(0))
    assert not torch.equal(noisy, centre(images, 17))
    assert torch.equal(quantise(noisy, 17), images)


def test_eight_bits_shift_the_density_by_seven_bits() -> None:
    assert bits_offset(256) == 7
    assert bits_offset(17) == pytest.approx(math.log2(17 / 2))
