"""Diffusion priors whose network is known, so that what they owe follows in closed form."""

import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import DiffusionPriorConfig
from trainables.diffusion.reverse_variance import AnalyticVariance
from trainables.priors import build_prior
from trainables.priors.diffusion import DiffusionPrior

LATENT = 3
VARIANCES = ("beta", "posterior", "analytic", "learned")
LINEAR, COSINE = {"num_steps": 50}, {"kind": "cosine", "num_steps": 40}


def diffusion(**options: object) -> DiffusionPriorConfig:
    group = {"hidden_size": 16, "num_layers": 2, "beta_schedule": LINEAR, "prediction": "epsilon"}
    return DiffusionPriorConfig.model_validate(group | options)


def build(config: DiffusionPriorConfig, latent_size: int = LATENT) -> DiffusionPrior:
    torch.manual_seed(0)
    prior = build_prior(config, latent_size).eval()
    assert isinstance(prior, DiffusionPrior)
    return prior


def posterior(num_images: int = 1) -> Independent:
    loc = torch.linspace(-1, 1, LATENT).expand(num_images, -1)
    scale = torch.linspace(0.3, 0.9, LATENT).expand(num_images, -1)
    return Independent(Normal(loc, scale), 1)


def assert_close_in_mean(draws: torch.Tensor, expected: float | torch.Tensor) -> None:
    standard_error = draws.std() / len(draws) ** 0.5
    assert (draws.mean() - expected).abs() <= 4 * standard_error + 1e-5


class LinearNetwork(nn.Module):
    """ε̂ = factor sigma_t z_t, said in any of the three ways; perfect for N(0, I) at factor 1.

    A learned variance lies at the `share` of its way from posterior to beta.
    """

    def __init__(self, prior: DiffusionPrior, factor: float, share: float | None) -> None:
        super().__init__()
        self.alpha, self.sigma = prior.process.alpha, prior.process.sigma
        self.prediction, self.share = prior.process.prediction, share
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = self.alpha[t][..., None], self.sigma[t][..., None]
        noise = self.factor * sigma * z_t
        z_0 = (1 - self.factor * sigma**2) / alpha * z_t
        said = {"epsilon": noise, "x0": z_0, "v": alpha * noise - sigma * z_0}[self.prediction]
        if self.share is None:
            return said
        return torch.cat([said, torch.full_like(said, self.share).logit()], dim=-1)


def with_linear_network(
    config: DiffusionPriorConfig,
    factor: float = 1.0,
    share: float = 0.5,
    latent_size: int = LATENT,
) -> DiffusionPrior:
    prior = build(config, latent_size)
    is_learned = config.variance == "learned"
    prior.process.network = LinearNetwork(prior, factor, share if is_learned else None)
    return prior


def true_squared_error(prior: DiffusionPrior, factor: float) -> torch.Tensor:
    """E(ε - ε̂)² of the network above at each t, in a dimension where z_0 ~ N(0, 1)."""
    alpha, sigma = prior.process.alpha.double(), prior.process.sigma.double()
    return (1 - factor * sigma**2) ** 2 + (factor * sigma * alpha) ** 2


def with_known_errors(prior: DiffusionPrior, factor: float) -> DiffusionPrior:
    if isinstance(prior.process.variance, AnalyticVariance):
        prior.process.variance.mean_squared_error.copy_(true_squared_error(prior, factor))
    return prior


@torch.no_grad()
def gap_to_the_standard_normal(prior: DiffusionPrior, num_images: int) -> torch.Tensor:
    """By how much the bound exceeds KL(q || N(0, I)), averaged over q's of marginal N(0, I)."""
    torch.manual_seed(1)
    scale = torch.full((num_images, LATENT), 0.6)
    loc = 0.8 * torch.randn(num_images, LATENT)
    q = Independent(Normal(loc, scale), 1)
    estimate = prior.evaluate_rate(q, q.sample(), torch.Generator().manual_seed(1))
    standard = Independent(Normal(torch.zeros_like(loc), torch.ones_like(scale)), 1)
    return estimate.total - kl_divergence(q, standard)


def reverse_variance(
    config: DiffusionPriorConfig, schedule: BetaSchedule, t: int, share: float | torch.Tensor
) -> torch.Tensor:
    """σ_t² as the config's words define it; `analytic` for the errors of an untouched prior."""
    beta, tilde = schedule.betas[t - 1], schedule.posterior_variances[t - 1]
    if config.variance in ("beta", "analytic") or (config.variance == "posterior" and t == 1):
        return beta
    if t == 1:
        tilde = schedule.posterior_variances[1] if schedule.num_steps > 1 else beta
    return tilde if config.variance == "posterior" else beta**share * tilde ** (1 - share)


def marginal_variance(config: DiffusionPriorConfig, share: float = 0.5) -> float:
    """Of p(z_0) in each dimension, where the chain has the network above at factor 1."""
    schedule, variance = build_beta_schedule(config.beta_schedule), 1.0
    for t in range(schedule.num_steps, 0, -1):
        beta = schedule.betas[t - 1].item()
        variance = (1 - beta) * variance + reverse_variance(config, schedule, t, share).item()
    return variance
