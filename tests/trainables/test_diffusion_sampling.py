import math
from itertools import pairwise

import pytest
import torch

from tests.trainables.known_diffusion import (
    COSINE,
    LATENT,
    LINEAR,
    LinearNetwork,
    build,
    diffusion,
    with_linear_network,
)
from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.diffusion.chain import Chain
from trainables.diffusion.step import ddim_steps
from trainables.priors.diffusion import DiffusionPrior


@pytest.mark.parametrize("variance", ["beta", "analytic"])
def test_the_best_network_samples_unit_variance_with_the_best_variance(variance: str) -> None:
    torch.manual_seed(1)
    z = with_linear_network(diffusion(variance=variance)).sample(20_000)
    torch.testing.assert_close(z.var(0), torch.ones(LATENT), atol=0.05, rtol=0)


def test_the_last_step_of_sampling_is_noisy_too() -> None:
    """A tenth of the variance is β_1 here: without its noise samples are too narrow."""
    betas = torch.full((10,), 0.1, dtype=torch.float64)
    chain = Chain(BetaSchedule(betas), torch.tensor([0.0] + [1.0] * 10).double(), training_lag=0)
    prior = DiffusionPrior(diffusion(), LATENT, chain)
    prior.process.network = LinearNetwork(prior, 1.0, None)
    torch.manual_seed(1)
    torch.testing.assert_close(prior.sample(20_000).var(0), torch.ones(LATENT), atol=0.05, rtol=0)


@pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=["linear", "cosine"])
def test_ddim_with_all_steps_and_all_noise_is_ancestral_with_posterior(schedule: object) -> None:
    """The same mean for any network, and the same deviation but at t = 1."""
    sampler = {"kind": "ddim", "eta": 1.0}
    config = diffusion(beta_schedule=schedule, variance="posterior", prediction="v")
    ancestral = build(config)
    ddim = build(config.model_copy(update={"sampler": diffusion(sampler=sampler).sampler}))
    z = torch.randn(20, LATENT)
    assert len(ddim.steps) == len(ancestral.steps) == config.beta_schedule.num_steps
    for one, other in zip(ddim.steps, ancestral.steps, strict=True):
        mean, deviation = ddim.process.transition(z, one)
        expected_mean, expected_deviation = ancestral.process.transition(z, other)
        torch.testing.assert_close(mean, expected_mean, rtol=1e-4, atol=1e-4)
        if one.time > 1:
            torch.testing.assert_close(deviation, expected_deviation)
        else:
            assert torch.all(deviation == 0)


@torch.no_grad()
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("num_steps", [5, 20])
def test_ddim_shrinks_noise_by_the_angle_of_each_step(num_steps: int, eta: float) -> None:
    """With α = cos θ, σ = sin θ the best network's step without noise is z_s = cos(θ_t - θ_s) z_t.

    For N(0, I) the probability flow leaves z as it is; these are its Euler steps.
    """
    config = diffusion(sampler={"kind": "ddim", "num_steps": num_steps, "eta": eta})
    schedule = build_beta_schedule(config.beta_schedule)
    angles = torch.cat([torch.zeros(1).double(), schedule.alphas_bar.sqrt().acos()])
    variance = torch.ones(()).double()
    times = [round(50 * i / num_steps) for i in range(num_steps, -1, -1)]
    for t, s in pairwise(times):
        share = 1 - schedule.alphas_bar[t - 1] / (angles[s].cos() ** 2)
        noise = eta**2 * (angles[s].sin() / angles[t].sin()) ** 2 * share
        direction = (angles[s].sin() ** 2 - noise).sqrt()
        factor = angles[s].cos() * angles[t].cos() + direction * angles[t].sin()
        variance = factor**2 * variance + noise
    if eta == 0:
        torch.testing.assert_close(variance, (-angles[times].diff()).cos().prod() ** 2)
    torch.manual_seed(1)
    found = with_linear_network(config).sample(20_000).double().var()
    assert found.item() == pytest.approx(variance.item(), abs=4 * math.sqrt(2 / 60_000))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_noise_of_a_ddim_step_is_the_share_eta_of_bayes(eta: float) -> None:
    schedule = build_beta_schedule(diffusion().beta_schedule)
    alphas_bar = [1.0, *schedule.alphas_bar.tolist()]
    steps = ddim_steps(schedule, 10, eta)
    for step, following in pairwise(steps):
        t, s = alphas_bar[step.time], alphas_bar[following.time]
        precision = 1 / (1 - s) + (t / s) / (1 - t / s)
        assert step.deviation == pytest.approx(eta / math.sqrt(precision))
    assert steps[-1].deviation == 0


def test_ddim_keeps_unit_variance_the_better_the_more_steps_it_takes() -> None:
    def shrinkage(num_steps: int) -> float:
        steps = ddim_steps(build_beta_schedule(diffusion().beta_schedule), num_steps, eta=0.0)
        prior = with_linear_network(diffusion())
        z = torch.ones(1, LATENT)
        for step in steps:
            z, _ = prior.process.transition(z, step)
        return 1 - z.mean().item()

    losses = [shrinkage(num_steps) for num_steps in (5, 10, 25, 50)]
    assert losses == sorted(losses, reverse=True)
    assert 0 < losses[-1] < 0.1


def test_ddim_without_noise_follows_from_its_start() -> None:
    prior = build(diffusion(sampler={"kind": "ddim", "num_steps": 7}))
    assert [step.deviation for step in prior.steps] == [0.0] * 7
    assert [step.time for step in prior.steps] == [50, 43, 36, 29, 21, 14, 7]
