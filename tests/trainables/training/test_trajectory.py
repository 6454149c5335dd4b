"""What one drawn chain says of the density of its beginning."""

import math
from itertools import product

import pytest
import torch
from torch.distributions import Normal

from tests.trainables.known_diffusion import (
    COSINE,
    LINEAR,
    VARIANCES,
    assert_close_in_mean,
    build,
    diffusion,
    marginal_variance,
    posterior,
    with_linear_network,
)

SHORT = {"kind": "cosine", "num_steps": 10}
TINY = [{"num_steps": 1, "rescale": False}, {"kind": "cosine", "num_steps": 2}]


@torch.no_grad()
@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_mean_of_the_log_weight_is_the_bound(variance: str, prediction: str) -> None:
    """For a network that has learned nothing, whose bound is far from tight."""
    prior = build(diffusion(variance=variance, prediction=prediction, beta_schedule=SHORT))
    q, generator = posterior(40_000), torch.Generator().manual_seed(1)
    z = q.sample()
    bound = prior.evaluate_rate(q, z, generator)
    of_chain = bound.total - bound.parts["entropy"]
    assert_close_in_mean(of_chain + prior.log_weight(z, generator), 0.0)


@torch.no_grad()
@pytest.mark.parametrize(
    ("variance", "schedule"),
    [*product(VARIANCES, [COSINE, *TINY]), ("posterior", LINEAR)],
    ids=str,
)
def test_the_weight_is_an_unbiased_estimate_of_the_density(
    variance: str, schedule: dict[str, object]
) -> None:
    """Of a chain whose p(z_0) is known, though its bound is not tight but under `beta`."""
    config = diffusion(variance=variance, beta_schedule=schedule)
    prior = with_linear_network(config, latent_size=1)
    z = torch.tensor([-1.5, 0.0, 0.7]).repeat_interleave(20_000)[:, None]
    density = Normal(0.0, math.sqrt(marginal_variance(config))).log_prob(z[:, 0])
    log_weight = prior.log_weight(z, torch.Generator().manual_seed(1))
    for weight in (log_weight - density).exp().split(20_000):
        assert_close_in_mean(weight, 1.0)


@torch.no_grad()
@pytest.mark.parametrize("num_steps", [50, 1000])
def test_the_best_network_leaves_the_weight_no_variance(num_steps: int) -> None:
    """Each step backwards is then the true one, so a thousand steps must cancel to the digit."""
    prior = with_linear_network(diffusion(beta_schedule={"num_steps": num_steps}))
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    log_weight = prior.log_weight(z, torch.Generator().manual_seed(2))
    expected = Normal(0.0, 1.0).log_prob(z).sum(-1).double()
    torch.testing.assert_close(log_weight, expected, atol=2e-3, rtol=0)


def test_a_trajectory_draws_from_its_generator_alone() -> None:
    prior, z = build(diffusion()), torch.zeros(5, 3)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, again = (prior.log_weight(z, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())


def test_the_weight_follows_the_chain_and_not_the_sampler() -> None:
    short_sampler = {"kind": "ddim", "num_steps": 5, "eta": 0.0}
    priors = build(diffusion()), build(diffusion(sampler=short_sampler))
    weights = [p.log_weight(torch.zeros(5, 3), torch.Generator().manual_seed(1)) for p in priors]
    assert torch.equal(*weights)
