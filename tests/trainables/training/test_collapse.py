"""Diagnostics of collapse, against models whose information is known."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from trainables.training.collapse import (
    NUM_IMAGES,
    information_by_dimension,
    measure_collapse,
    mutual_information,
)


def posterior(loc: torch.Tensor, scale: float) -> Independent:
    return Independent(Normal(loc, torch.full_like(loc, scale)), 1)


def gaussian_information(scale: float, latent_size: int) -> float:
    """I(x; z) where q(z|x) = N(loc, scale²) and loc ~ N(0, 1 - scale²): that of two Gaussians."""
    return -latent_size * math.log(scale)


@pytest.mark.parametrize("scale", [0.3, 0.6, 0.9])
def test_the_information_of_gaussians_is_found(scale: float) -> None:
    torch.manual_seed(0)
    loc = torch.randn(1000, 2) * (1 - scale**2) ** 0.5
    z = posterior(loc, scale).sample()
    estimate = mutual_information(loc, torch.full_like(loc, scale), z)
    assert estimate == pytest.approx(gaussian_information(scale, 2), abs=0.12)


def test_a_collapsed_posterior_tells_nothing() -> None:
    loc = torch.zeros(200, 3)
    q = posterior(loc, 1.0)
    collapse = measure_collapse(q, q.sample(), torch.zeros(200), torch.zeros(200, 3))
    assert collapse.active_units == 0
    assert collapse.mutual_information == pytest.approx(0, abs=1e-9)
    assert collapse.aggregate_gap == pytest.approx(0, abs=1e-9)
    assert not collapse.is_saturated
    assert collapse.rate_by_dimension == (0.0, 0.0, 0.0)


def test_an_estimate_at_its_ceiling_says_so() -> None:
    torch.manual_seed(0)
    q = posterior(100 * torch.randn(200, 4), 0.1)
    collapse = measure_collapse(q, q.sample(), torch.full((200,), 50.0), None)
    assert collapse.ceiling == pytest.approx(math.log(200))
    assert collapse.mutual_information == pytest.approx(collapse.ceiling)
    assert collapse.is_saturated
    assert collapse.active_units == 4
    assert collapse.aggregate_gap == pytest.approx(50 - math.log(200))
    assert collapse.rate_by_dimension == ()


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_a_dimension_is_active_whatever_its_scale(factor: float) -> None:
    torch.manual_seed(0)
    loc = torch.randn(500, 3) * torch.tensor([1.0, 0.2, 0.05])
    q = posterior(factor * loc, factor * 0.5)
    collapse = measure_collapse(q, q.sample(), torch.ones(500), None)
    assert collapse.active_units == 2
    expected = [math.log(1 + (spread / 0.5) ** 2) / 2 for spread in (1.0, 0.2, 0.05)]
    found = information_by_dimension(q.base_dist.loc, q.base_dist.scale)
    assert found.tolist() == pytest.approx(expected, rel=0.15)


def test_active_is_what_tells_something_of_the_image() -> None:
    """4.6 nats within a spread of 0.05, and 5e-5 nats within one of 0.2."""
    torch.manual_seed(0)
    loc = torch.randn(1000, 2) * torch.tensor([0.05, 0.2])
    scale = torch.tensor([0.0005, 20.0]).expand(1000, 2)
    q = Independent(Normal(loc, scale), 1)
    assert information_by_dimension(loc, scale).tolist() == pytest.approx([4.6, 5e-5], rel=0.1)
    collapse, of_revision_1 = (
        measure_collapse(q, q.sample(), torch.ones(1000), None, revision) for revision in (2, 1)
    )
    assert collapse.active_units == 1
    # By the variance of the mean alone the other one is.
    assert of_revision_1.active_units == 1
    assert (loc.var(0) > 0.01).tolist() == [False, True]


def test_a_scale_that_depends_on_the_image_tells_something_too() -> None:
    scale = torch.tensor([[0.1], [10.0]]).repeat(100, 1)
    q = Independent(Normal(torch.zeros(200, 1), scale), 1)
    assert measure_collapse(q, q.sample(), torch.ones(200), None).active_units == 1


def test_information_and_gap_make_up_the_rate() -> None:
    """With the prior N(0, I) and an aggregate posterior N(0, 1.5² I) the gap is known."""
    torch.manual_seed(0)
    spread, scale = 1.5, 0.8
    q = posterior(torch.randn(1000, 1) * (spread**2 - scale**2) ** 0.5, scale)
    loc = q.base_dist.loc
    rate = ((loc**2 + scale**2 - 1) / 2 - math.log(scale)).sum(-1)
    gap = (spread**2 - 1) / 2 - math.log(spread)
    collapse = measure_collapse(q, q.sample(), rate, None)
    assert collapse.aggregate_gap == pytest.approx(gap, abs=0.1)


def test_a_thousand_images_are_enough() -> None:
    q = posterior(torch.randn(NUM_IMAGES + 500, 2), 0.5)
    collapse = measure_collapse(q, q.sample(), torch.ones(NUM_IMAGES + 500), None)
    assert collapse.ceiling == pytest.approx(math.log(NUM_IMAGES))
