"""Diagnostics of collapse, against models whose information is known."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from trainables.collapse import NUM_IMAGES, measure_collapse, mutual_information


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


def test_only_dimensions_whose_mean_moves_are_active() -> None:
    torch.manual_seed(0)
    loc = torch.randn(500, 3) * torch.tensor([1.0, 0.2, 0.05])
    q = posterior(loc, 0.5)
    assert measure_collapse(q, q.sample(), torch.ones(500), None).active_units == 2


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
