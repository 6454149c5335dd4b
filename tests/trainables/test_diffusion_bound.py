import math
from itertools import product

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tests.trainables.known_diffusion import (
    COSINE,
    LATENT,
    LINEAR,
    VARIANCES,
    assert_close_in_mean,
    build,
    diffusion,
    gap_to_the_standard_normal,
    posterior,
    reverse_variance,
    with_known_errors,
    with_linear_network,
)
from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import DiffusionPriorConfig
from trainables.priors.diffusion import DiffusionPrior

UNIT = Normal(torch.zeros(()).double(), torch.ones(()).double())
TINY = [{"num_steps": 1, "rescale": False}, {"kind": "cosine", "num_steps": 2}]


@pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=["linear", "cosine"])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_best_network_pays_what_its_chain_must(variance: str, schedule: object) -> None:
    config = diffusion(beta_schedule=schedule, variance=variance)
    gap = gap_to_the_standard_normal(with_linear_network(config, share=0.3), 50_000)
    assert_close_in_mean(gap, chain_divergence(config, share=0.3))


def chain_divergence(config: DiffusionPriorConfig, share: float) -> float:
    """The gap in closed form: q(z_{t-1}|z_t) is N(…, β_t) when z_0 ~ N(0, I)."""
    schedule = build_beta_schedule(config.beta_schedule)
    gap = 0.0
    for t, beta in enumerate(schedule.betas.tolist(), start=1):
        ratio = beta / reverse_variance(config, schedule, t, share).item()
        gap += (ratio - 1 - math.log(ratio)) / 2
    return LATENT * gap


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("variance", VARIANCES)
def test_no_network_pays_less_than_the_divergence(variance: str, factor: float) -> None:
    prior = with_known_errors(with_linear_network(diffusion(variance=variance), factor), factor)
    gap = gap_to_the_standard_normal(prior, 10_000)
    assert gap.mean() > -4 * gap.std() / len(gap) ** 0.5


@pytest.mark.parametrize("variance", ["posterior", "learned"])
def test_a_longer_chain_is_closer_to_the_divergence(variance: str) -> None:
    gaps = []
    for num_steps in (50, 500):
        config = diffusion(beta_schedule={"num_steps": num_steps}, variance=variance)
        gaps.append(gap_to_the_standard_normal(with_linear_network(config), 20_000).mean())
    assert 0 < gaps[1] < gaps[0] / 2


@torch.no_grad()
@pytest.mark.parametrize(
    ("variance", "prediction", "schedule"),
    [
        *[(variance, "epsilon", LINEAR) for variance in VARIANCES],
        *[(variance, "v", COSINE) for variance in VARIANCES],
        ("learned", "x0", LINEAR),
        *[(variance, "epsilon", schedule) for variance, schedule in product(VARIANCES, TINY)],
    ],
    ids=str,
)
def test_the_bound_is_the_sum_over_all_times(
    variance: str, prediction: str, schedule: object
) -> None:
    """Against torch's divergences, one time after the other, with no weight drawn."""
    config = diffusion(variance=variance, prediction=prediction, beta_schedule=schedule)
    prior, q = build(config), posterior(400)
    z = q.sample()
    expected = -q.entropy() + all_divergences(prior, config, z, num_noises=20)
    generator = torch.Generator().manual_seed(1)
    estimates = [prior.evaluate_rate(q, z, generator).total for _ in range(20)]
    assert_close_in_mean(torch.stack(estimates).mean(0) - expected, 0.0)


def all_divergences(
    prior: DiffusionPrior, config: DiffusionPriorConfig, z: torch.Tensor, num_noises: int
) -> torch.Tensor:
    schedule, z = build_beta_schedule(config.beta_schedule), z.double()
    alphas, sigmas = schedule.marginal(torch.arange(1, schedule.num_steps + 1))
    total = kl_divergence(Normal(alphas[-1] * z, sigmas[-1]), UNIT).sum(-1)
    for t in range(1, schedule.num_steps + 1):
        z_t = Normal(alphas[t - 1] * z, sigmas[t - 1]).sample((num_noises,))
        output = prior.process.network(z_t.float(), torch.full(z_t.shape[:-1], t)).double()
        denoised = z_0_from(config, output[..., :LATENT], z_t, alphas[t - 1], sigmas[t - 1])
        variance = reverse_variance(config, schedule, t, output[..., LATENT:].sigmoid())
        p = Normal(posterior_mean(schedule, t, denoised, z_t), variance.sqrt())
        if t == 1:
            total = total - p.log_prob(z).sum(-1).mean(0)
        else:
            scale = schedule.posterior_variances[t - 1].sqrt()
            q = Normal(posterior_mean(schedule, t, z, z_t), scale)
            total = total + kl_divergence(q, p).sum(-1).mean(0)
    return total


def z_0_from(
    config: DiffusionPriorConfig,
    said: torch.Tensor,
    z_t: torch.Tensor,
    alpha: torch.Tensor,
    sigma: torch.Tensor,
) -> torch.Tensor:
    match config.prediction:
        case "epsilon":
            return (z_t - sigma * said) / alpha
        case "v":
            return alpha * z_t - sigma * said
        case _:
            return said


def posterior_mean(
    schedule: BetaSchedule, t: int, z_0: torch.Tensor, z_t: torch.Tensor
) -> torch.Tensor:
    of_z_0, of_z_t = schedule.posterior_coefficients
    return of_z_0[t - 1] * z_0 + of_z_t[t - 1] * z_t


@torch.no_grad()
def test_a_chain_whose_end_is_not_yet_noise_pays_for_it() -> None:
    prior = build(diffusion(beta_schedule={"num_steps": 50, "rescale": False}))
    q = posterior(7)
    z, alpha_bar = q.sample(), torch.tensor(prior.end_signal)
    expected = kl_divergence(Normal(alpha_bar.sqrt() * z, (1 - alpha_bar).sqrt()), UNIT).sum(-1)
    parts = prior.evaluate_rate(q, z, torch.Generator()).parts
    torch.testing.assert_close(parts["L_T"], expected.float())
    assert expected.min() > 0.05


@pytest.mark.parametrize("factor", [1.0, 0.7])
@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_every_prediction_gives_the_same_bound_and_samples(prediction: str, factor: float) -> None:
    said = with_linear_network(diffusion(prediction=prediction), factor)
    noise = with_linear_network(diffusion(), factor)
    said.later_law = noise.later_law  # the same times, so that all noise is the same
    gaps = [gap_to_the_standard_normal(prior, 100) for prior in (said, noise)]
    torch.testing.assert_close(*gaps, rtol=1e-3, atol=1e-3)
    samples = []
    for prior in (said, noise):
        torch.manual_seed(2)
        samples.append(prior.sample(100))
    torch.testing.assert_close(*samples, rtol=1e-3, atol=1e-3)


def test_evaluation_takes_the_length_of_the_noise_out_of_its_variance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Most of a good network's error at small t, where the weight is."""

    def mean_variance() -> torch.Tensor:
        prior = with_linear_network(diffusion(beta_schedule={"num_steps": 1000}))
        z = torch.randn(2000, LATENT, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            estimate = prior.evaluate_rate(posterior(2000), z, torch.Generator().manual_seed(1))
        return estimate.standard_error.square().mean()

    reduced = mean_variance()
    monkeypatch.setattr(
        DiffusionPrior, "_control_variate", lambda self, t, noise: torch.zeros(t.shape)
    )
    assert reduced < mean_variance() / 5
