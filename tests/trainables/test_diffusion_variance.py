import math
from typing import Literal

import pytest
import torch
from torch.distributions import Independent, Normal

from tests.trainables.known_diffusion import (
    LATENT,
    assert_close_in_mean,
    build,
    diffusion,
    gap_to_the_standard_normal,
    posterior,
    true_squared_error,
    with_known_errors,
    with_linear_network,
)
from trainables.beta_schedule import build_beta_schedule
from trainables.config import BetaScheduleConfig
from trainables.diffusion.reverse_variance import AnalyticVariance, variance_cost
from trainables.priors.diffusion import DiffusionPrior


def trained_analytic(factor: float) -> DiffusionPrior:
    """With the errors that a few large training batches of z_0 ~ N(0, I) showed it."""
    prior = with_linear_network(diffusion(variance="analytic", times="stratified"), factor).train()
    q = Independent(Normal(torch.zeros(50_000, LATENT), torch.ones(50_000, LATENT)), 1)
    torch.manual_seed(1)
    with torch.no_grad():
        prior.rate(q, q.sample())
    return prior.eval()


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_the_analytic_variance_learns_the_error_of_the_network(factor: float) -> None:
    prior = trained_analytic(factor)
    assert isinstance(prior.process.variance, AnalyticVariance)
    expected = true_squared_error(prior, factor)[1:]
    found = prior.process.variance.mean_squared_error.double()[1:]
    # A thousand draws in three dimensions each: 5 deviations of √2 of the noise's own part.
    torch.testing.assert_close(found, expected, rtol=5 * math.sqrt(2 / 3000), atol=0)


def test_evaluation_teaches_the_analytic_variance_nothing() -> None:
    prior, q = build(diffusion(variance="analytic")), posterior(7)
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    prior.rate(q, q.sample())
    prior.evaluate_rate(q, q.sample(), torch.Generator())
    assert all(torch.equal(before[name], value) for name, value in prior.state_dict().items())


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_analytic_variance_is_no_worse_for_the_same_network(
    variance: str, factor: float
) -> None:
    priors = [
        with_known_errors(with_linear_network(diffusion(variance=kind), factor), factor)
        for kind in ("analytic", variance)
    ]
    analytic, fixed = (gap_to_the_standard_normal(prior, 20_000) for prior in priors)
    difference = analytic - fixed
    if variance == "beta" and factor == 1:  # the best already
        assert_close_in_mean(difference, 0.0)
    else:
        assert difference.mean() < -4 * difference.std() / math.sqrt(len(difference))


@pytest.mark.parametrize(("share", "end"), [(0.0, "posterior"), (1.0, "beta")])
def test_a_learned_variance_reaches_both_its_ends(share: float, end: str) -> None:
    learned = with_linear_network(diffusion(variance="learned"), share=share)
    fixed, z = with_linear_network(diffusion(variance=end)), torch.randn(2, LATENT)
    for step in learned.steps[:-1]:
        found, expected = (p.process.transition(z, step)[1] for p in (learned, fixed))
        torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_a_learned_variance_stays_between_its_ends() -> None:
    prior = build(diffusion(variance="learned"))
    schedule, z = build_beta_schedule(diffusion().beta_schedule), 10 * torch.randn(50, LATENT)
    for parameter in prior.parameters():
        parameter.mul_(3)
    for step in prior.steps:
        _, deviation = prior.process.transition(z, step)
        low = schedule.posterior_variances[max(step.time, 2) - 1]
        assert torch.all(deviation.double().square() >= low * (1 - 1e-5))
        assert torch.all(deviation.double().square() <= schedule.betas[step.time - 1] * (1 + 1e-5))
        assert deviation.std() > 0


@pytest.mark.parametrize(
    ("kind", "num_steps", "nats"),
    [("linear", 50, 2.22), ("linear", 100, 1.35), ("linear", 1000, 0.465), ("cosine", 50, 0.928)],
)
def test_the_posterior_variance_costs_what_no_network_can_save(
    kind: Literal["linear", "cosine"], num_steps: int, nats: float
) -> None:
    schedule = build_beta_schedule(BetaScheduleConfig(kind=kind, num_steps=num_steps))
    assert variance_cost("posterior", schedule) == pytest.approx(nats, abs=5e-3)
    for variance in ("beta", "analytic", "learned"):
        assert variance_cost(variance, schedule) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_cost_of_a_variance_is_the_gap_of_the_best_network(variance: str) -> None:
    config = diffusion(variance=variance)
    gap = gap_to_the_standard_normal(with_linear_network(config), 50_000)
    cost = variance_cost(variance, build_beta_schedule(config.beta_schedule))
    assert_close_in_mean(gap, LATENT * cost)
