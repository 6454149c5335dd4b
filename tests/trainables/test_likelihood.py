import math

import pytest
import torch
from torch import nn

from trainables.config import LikelihoodConfig
from trainables.likelihood import INITIAL_SCALE, GaussianLikelihood

CONFIGS = [
    LikelihoodConfig(),
    LikelihoodConfig(scale_floor=0.3),
    LikelihoodConfig(scale_floor=2.0),
    LikelihoodConfig(scale=0.7),
]
SHAPE = (3, 4, 4)


@pytest.fixture(params=CONFIGS, ids=str)
def likelihood(request: pytest.FixtureRequest) -> GaussianLikelihood:
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(5, math.prod(SHAPE)), nn.Tanh(), nn.Unflatten(-1, SHAPE))
    return GaussianLikelihood(request.param, decoder)


def test_the_log_probability_is_the_gaussian_formula(likelihood: GaussianLikelihood) -> None:
    z, x = torch.randn(6, 5), torch.rand(6, *SHAPE) * 2 - 1
    scale = likelihood.scale
    squares = ((x - likelihood.mean(z)) ** 2).flatten(1).sum(1)
    expected = -squares / (2 * scale**2) - math.prod(SHAPE) * (
        scale.log() + math.log(2 * math.pi) / 2
    )
    torch.testing.assert_close(likelihood(z).log_prob(x), expected)


def test_the_distribution_is_over_whole_images(likelihood: GaussianLikelihood) -> None:
    p = likelihood(torch.randn(6, 5))
    assert p.batch_shape == (6,)
    assert p.event_shape == SHAPE


def test_the_mean_is_that_of_the_distribution(likelihood: GaussianLikelihood) -> None:
    z = torch.randn(6, 5)
    assert torch.equal(likelihood(z).mean, likelihood.mean(z))


def test_one_scale_serves_all_pixels(likelihood: GaussianLikelihood) -> None:
    assert len(likelihood(torch.randn(6, 5)).stddev.unique()) == 1


@pytest.mark.parametrize("config", CONFIGS[:2], ids=str)
def test_a_learned_scale_begins_at_the_initial_one(config: LikelihoodConfig) -> None:
    scale = GaussianLikelihood(config, nn.Identity()).scale
    assert scale.item() == pytest.approx(INITIAL_SCALE)


@pytest.mark.parametrize("config", CONFIGS[:3], ids=str)
@pytest.mark.parametrize("parameter", [-1e9, -1.0, 0.0, 1.0])
def test_a_learned_scale_never_falls_below_its_floor(
    config: LikelihoodConfig, parameter: float
) -> None:
    likelihood = GaussianLikelihood(config, nn.Identity())
    nn.init.constant_(likelihood.log_excess, parameter)
    assert likelihood.scale >= torch.tensor(config.scale_floor)


def test_a_fixed_scale_is_no_parameter() -> None:
    likelihood = GaussianLikelihood(LikelihoodConfig(scale=0.7), nn.Identity())
    assert not list(likelihood.parameters())
    assert likelihood.scale.item() == pytest.approx(0.7)


def test_the_learned_scale_finds_the_error_of_the_decoder() -> None:
    torch.manual_seed(0)
    likelihood = GaussianLikelihood(LikelihoodConfig(), nn.Identity())
    mean = torch.zeros(20, *SHAPE)
    x = 0.1 * torch.randn_like(mean)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=5e-4)
    for _ in range(600):
        optimizer.zero_grad()
        pixels = torch.distributions.Normal(mean, likelihood.scale)
        (-pixels.log_prob(x).sum()).backward()
        optimizer.step()
    assert likelihood.scale.item() == pytest.approx(x.square().mean().sqrt().item(), rel=0.01)
