import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

import trainables.priors.diffusion as diffusion_module
from trainables.beta_schedule import BetaSchedule
from trainables.config import (
    BetaScheduleConfig,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    PriorConfig,
)
from trainables.priors import Prior, build_prior
from trainables.priors.diffusion import DiffusionPrior, time_embedding

SHORT, LONG = BetaScheduleConfig(num_steps=50), BetaScheduleConfig(num_steps=500)
COSINE = BetaScheduleConfig(kind="cosine", num_steps=40)
FLOW = FlowPriorConfig(hidden_size=16, num_layers=2)
GAUSSIAN = GaussianPriorConfig()
DIFFUSIONS = [
    DiffusionPriorConfig(hidden_size=16, num_layers=2, beta_schedule=schedule, variance=variance)
    for schedule in (SHORT, COSINE)
    for variance in ("beta", "posterior")
]
PRIORS = [GAUSSIAN, FLOW, *DIFFUSIONS]
WITH_DENSITY = [GAUSSIAN, FLOW]
LATENT = 3


def name(config: PriorConfig) -> str:
    if isinstance(config, DiffusionPriorConfig):
        return f"diffusion-{config.beta_schedule.kind}-{config.variance}"
    return config.kind


def build(config: PriorConfig, latent_size: int = LATENT) -> Prior:
    torch.manual_seed(0)
    return build_prior(config, latent_size)


def posterior(num_images: int = 1, latent_size: int = LATENT) -> Independent:
    loc = torch.linspace(-1, 1, latent_size).expand(num_images, -1)
    scale = torch.linspace(0.3, 0.9, latent_size).expand(num_images, -1)
    return Independent(Normal(loc, scale), 1)


@pytest.fixture(params=PRIORS, ids=name)
def prior(request: pytest.FixtureRequest) -> Prior:
    return build(request.param)


@pytest.fixture(params=WITH_DENSITY, ids=name)
def prior_with_density(request: pytest.FixtureRequest) -> Prior:
    return build(request.param)


def assert_close_in_mean(draws: torch.Tensor, expected: float | torch.Tensor) -> None:
    standard_error = draws.std() / len(draws) ** 0.5
    assert (draws.mean() - expected).abs() <= 4 * standard_error + 1e-5


def test_a_prior_gives_one_rate_for_each_image(prior: Prior) -> None:
    q = posterior(7)
    z = q.rsample()
    assert prior.rate(q, z).shape == (7,)
    assert prior.evaluate_rate(q, z, torch.Generator()).standard_error.shape == (7,)


@torch.no_grad()
def test_training_and_evaluation_estimate_the_same_rate(prior: Prior) -> None:
    q = posterior(40_000)
    z, generator = q.sample(), torch.Generator().manual_seed(1)
    difference = prior.rate(q, z) - prior.evaluate_rate(q, z, generator).total
    assert_close_in_mean(difference, 0.0)


@torch.no_grad()
def test_the_parts_of_a_rate_sum_to_its_total(prior: Prior) -> None:
    q = posterior(7)
    estimate = prior.evaluate_rate(q, q.sample(), torch.Generator())
    torch.testing.assert_close(sum(estimate.parts.values()), estimate.total)


@torch.no_grad()
def test_evaluation_repeats_with_its_generator(prior: Prior) -> None:
    q = posterior(7)
    z = q.sample()
    first, second = (
        prior.evaluate_rate(q, z, torch.Generator().manual_seed(4)).total for _ in range(2)
    )
    assert torch.equal(first, second)


@torch.no_grad()
def test_the_standard_error_is_that_of_repetitions(prior: Prior) -> None:
    q = posterior(1)
    z = q.sample().expand(20_000, -1)
    q = posterior(20_000)
    estimate = prior.evaluate_rate(q, z, torch.Generator().manual_seed(4))
    claimed = estimate.standard_error.square().mean().sqrt()
    torch.testing.assert_close(claimed, estimate.total.std(), rtol=0.05, atol=1e-4)


@torch.no_grad()
def test_evaluation_varies_less_than_training(prior: Prior) -> None:
    q = posterior(5_000)
    z, generator = q.sample(), torch.Generator().manual_seed(4)
    evaluated = prior.evaluate_rate(q, z, generator).total
    assert evaluated.std() <= prior.rate(q, z).std()


def test_gradients_reach_every_parameter_and_the_posterior(prior: Prior) -> None:
    loc, scale = torch.randn(50, LATENT), torch.rand(50, LATENT) + 0.1
    q = Independent(Normal(loc.requires_grad_(), scale.requires_grad_()), 1)
    prior.rate(q, q.rsample()).sum().backward()
    for value in (loc, scale, *prior.parameters()):
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


def test_samples_have_the_latent_shape_and_no_gradient(prior: Prior) -> None:
    z = prior.sample(5)
    assert z.shape == (5, LATENT)
    assert torch.isfinite(z).all()
    assert not z.requires_grad


def test_samples_repeat_with_the_global_seed(prior: Prior) -> None:
    torch.manual_seed(3)
    first = prior.sample(5)
    torch.manual_seed(3)
    assert torch.equal(first, prior.sample(5))


def test_nothing_trains_a_prior_alone(prior: Prior) -> None:
    assert prior.auxiliary_loss(torch.randn(5, LATENT)) == 0


@pytest.mark.parametrize("config", PRIORS, ids=name)
def test_a_single_latent_dimension_is_enough(config: PriorConfig) -> None:
    prior, q = build(config, latent_size=1), posterior(4, latent_size=1)
    assert torch.isfinite(prior.rate(q, q.rsample())).all()
    assert prior.sample(4).shape == (4, 1)


def test_only_an_exact_density_is_offered() -> None:
    offers = {name(config): hasattr(build(config), "log_prob") for config in PRIORS}
    assert [key for key, offered in offers.items() if offered] == ["gaussian", "flow"]


def test_the_gaussian_rate_is_the_divergence_of_torch() -> None:
    q = posterior(2)
    standard = Independent(Normal(torch.zeros(2, LATENT), torch.ones(2, LATENT)), 1)
    torch.testing.assert_close(build(GAUSSIAN).rate(q, q.sample()), kl_divergence(q, standard))


@torch.no_grad()
def test_the_rate_is_the_divergence_by_monte_carlo(prior_with_density: Prior) -> None:
    q = posterior(100_000)
    z, other = q.sample(), q.sample()
    monte_carlo = q.log_prob(other) - prior_with_density.log_prob(other)
    assert_close_in_mean(prior_with_density.rate(q, z) - monte_carlo, 0.0)


def grid_density(prior: Prior, half_width: float = 12.0) -> tuple[torch.Tensor, float]:
    axis = torch.linspace(-half_width, half_width, 401)
    points = torch.cartesian_prod(axis, axis)
    return prior.log_prob(points).double(), (axis[1] - axis[0]).item() ** 2


def sharpened(prior: Prior) -> Prior:
    for parameter in prior.parameters():
        parameter.data.mul_(1.5)
    return prior


@torch.no_grad()
@pytest.mark.parametrize("config", WITH_DENSITY, ids=name)
def test_a_density_integrates_to_one(config: PriorConfig) -> None:
    log_p, area = grid_density(sharpened(build(config, latent_size=2)))
    assert (log_p.exp().sum() * area).item() == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("config", WITH_DENSITY, ids=name)
def test_samples_follow_the_density(config: PriorConfig) -> None:
    prior = sharpened(build(config, latent_size=2))
    log_p, area = grid_density(prior)
    entropy = -(log_p.exp() * log_p).sum() * area
    assert_close_in_mean(-prior.log_prob(prior.sample(20_000)).double(), entropy)


@torch.no_grad()
def test_the_inverse_of_a_flow_inverts_it() -> None:
    transform, z = sharpened(build(FLOW)).flow().transform, torch.randn(20, LATENT)
    torch.testing.assert_close(transform.inv(transform(z)), z, atol=1e-4, rtol=1e-4)


class BestNetwork(nn.Module):
    """E[ε | z_t] = sigma_t z_t: what a perfect network says when z_0 ~ N(0, I)."""

    def __init__(self, sigma: torch.Tensor, factor: float = 1.0) -> None:
        super().__init__()
        self.sigma, self.factor = sigma, factor

    def forward(self, z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.factor * self.sigma[t][..., None] * z_t


def diffusion(config: DiffusionPriorConfig, factor: float = 1.0) -> DiffusionPrior:
    prior = build(config)
    assert isinstance(prior, DiffusionPrior)
    prior.network = BestNetwork(prior.sigma, factor)
    return prior


@torch.no_grad()
def gap_to_the_standard_normal(prior: DiffusionPrior, num_images: int) -> torch.Tensor:
    """By how much the bound exceeds KL(q || N(0, I)), averaged over q's of marginal N(0, I)."""
    scale = torch.full((num_images, LATENT), 0.6)
    loc = 0.8 * torch.randn(num_images, LATENT)
    q = Independent(Normal(loc, scale), 1)
    estimate = prior.evaluate_rate(q, q.sample(), torch.Generator().manual_seed(1))
    standard = Independent(Normal(torch.zeros_like(loc), torch.ones_like(scale)), 1)
    return estimate.total - kl_divergence(q, standard)


def chain_divergence(config: DiffusionPriorConfig) -> float:
    """The gap in closed form: every term of the bound is Gaussian with the best network."""
    prior = diffusion(config)
    alphas_bar = (prior.alpha.double() ** 2).tolist()
    gap = 0.0
    for t in range(1, prior.num_steps + 1):
        alpha, previous = alphas_bar[t] / alphas_bar[t - 1], alphas_bar[t - 1]
        beta, true_variance = 1 - alpha, 1 - alpha  # of q(z_{t-1}|z_t) when z_0 ~ N(0, I)
        posterior_variance = (1 - previous) / (1 - alphas_bar[t]) * beta
        variance = beta if config.variance == "beta" or t == 1 else posterior_variance
        gap += (true_variance / variance - 1 - math.log(true_variance / variance)) / 2
    return LATENT * gap


@pytest.mark.parametrize("config", DIFFUSIONS, ids=name)
def test_the_best_network_pays_what_its_chain_must(config: DiffusionPriorConfig) -> None:
    torch.manual_seed(1)
    gap = gap_to_the_standard_normal(diffusion(config), 100_000)
    assert_close_in_mean(gap, chain_divergence(config))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("config", DIFFUSIONS, ids=name)
def test_no_network_pays_less_than_the_divergence(
    config: DiffusionPriorConfig, factor: float
) -> None:
    torch.manual_seed(1)
    gap = gap_to_the_standard_normal(diffusion(config, factor), 20_000)
    assert gap.mean() > -4 * gap.std() / len(gap) ** 0.5


def test_a_longer_chain_is_closer_to_the_divergence() -> None:
    torch.manual_seed(1)
    gaps = []
    for schedule in (SHORT, LONG):
        config = DiffusionPriorConfig(beta_schedule=schedule, variance="posterior")
        gaps.append(gap_to_the_standard_normal(diffusion(config), 50_000).mean().item())
    assert gaps[1] < gaps[0] / 2


@pytest.mark.parametrize("config", DIFFUSIONS, ids=name)
def test_the_best_network_samples_unit_variance_with_beta(config: DiffusionPriorConfig) -> None:
    torch.manual_seed(1)
    variance = diffusion(config).sample(20_000).var(0)
    if config.variance == "beta":
        torch.testing.assert_close(variance, torch.ones(LATENT), atol=0.05, rtol=0)
    else:
        assert torch.all(variance < 1)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> DiffusionPrior:
    """Ten large steps that end long before all is noise: ᾱ_T = 0.35."""
    schedule = BetaSchedule(torch.full((10,), 0.1, dtype=torch.float64))
    monkeypatch.setattr(diffusion_module, "build_beta_schedule", lambda config: schedule)
    return diffusion(DIFFUSIONS[0])


@torch.no_grad()
def test_a_chain_whose_end_is_not_yet_noise_pays_for_it(coarse: DiffusionPrior) -> None:
    q = posterior(7)
    z, alpha_bar = q.sample(), torch.tensor(0.9**10)
    end = Normal(alpha_bar.sqrt() * z, (1 - alpha_bar).sqrt())
    expected = kl_divergence(end, Normal(torch.zeros(()), torch.ones(()))).sum(-1)
    parts = coarse.evaluate_rate(q, z, torch.Generator()).parts
    torch.testing.assert_close(parts["L_T"], expected)
    assert expected.min() > 0.05


def test_the_last_step_of_sampling_is_noisy_too(coarse: DiffusionPrior) -> None:
    torch.manual_seed(1)
    variance = coarse.sample(20_000).var(0)
    torch.testing.assert_close(variance, torch.ones(LATENT), atol=0.05, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("config", DIFFUSIONS, ids=name)
def test_the_bound_is_the_sum_over_all_times(config: DiffusionPriorConfig) -> None:
    """Against torch's divergences, one time after the other, with no weight drawn."""
    prior, q = build(config), posterior(400)
    z = q.sample()
    assert isinstance(prior, DiffusionPrior)
    expected = -q.entropy() + all_divergences(prior, config, z, num_noises=20)
    generator = torch.Generator().manual_seed(1)
    estimates = [prior.evaluate_rate(q, z, generator).total for _ in range(20)]
    assert_close_in_mean(torch.stack(estimates).mean(0) - expected, 0.0)


def all_divergences(
    prior: DiffusionPrior, config: DiffusionPriorConfig, z: torch.Tensor, num_noises: int
) -> torch.Tensor:
    alphas_bar = prior.alpha.double() ** 2
    end = Normal(alphas_bar[-1].sqrt() * z, (1 - alphas_bar[-1]).sqrt())
    total = kl_divergence(end, Normal(torch.zeros(()).double(), torch.ones(()).double())).sum(-1)
    for t in range(1, prior.num_steps + 1):
        beta = 1 - alphas_bar[t] / alphas_bar[t - 1]
        z_t = Normal(alphas_bar[t].sqrt() * z, (1 - alphas_bar[t]).sqrt()).sample((num_noises,))
        times = torch.full(z_t.shape[:-1], t)
        noise = prior.network(z_t.float(), times).double()
        mean = (z_t - beta / (1 - alphas_bar[t]).sqrt() * noise) / (1 - beta).sqrt()
        tilde = (1 - alphas_bar[t - 1]) / (1 - alphas_bar[t]) * beta
        p = Normal(mean, (beta if config.variance == "beta" or t == 1 else tilde).sqrt())
        if t == 1:
            total = total - p.log_prob(z.double()).sum(-1).mean(0)
        else:
            of_z_0 = alphas_bar[t - 1].sqrt() * beta / (1 - alphas_bar[t])
            of_z_t = (1 - beta).sqrt() * (1 - alphas_bar[t - 1]) / (1 - alphas_bar[t])
            q = Normal(of_z_0 * z + of_z_t * z_t, tilde.sqrt())
            total = total + kl_divergence(q, p).sum(-1).mean(0)
    return total


@pytest.mark.parametrize("config", DIFFUSIONS, ids=name)
def test_training_spreads_its_times_by_weight(config: DiffusionPriorConfig) -> None:
    prior, num_images = diffusion(config), 100_000
    t = prior._training_times(num_images, torch.device("cpu"))
    shares = torch.bincount(t, minlength=prior.num_steps + 1)[1:] / num_images
    expected = torch.cat([prior.quantiles, torch.ones(1)]).diff()
    torch.testing.assert_close(shares, expected, atol=3 / num_images, rtol=0)


def test_times_are_embedded_apart() -> None:
    embedding = time_embedding(torch.arange(1001), 100)
    assert embedding.shape == (1001, 100)
    assert torch.cdist(embedding, embedding).fill_diagonal_(1).min() > 0.1
    torch.testing.assert_close(embedding.square().sum(-1), torch.full((1001,), 50.0))
