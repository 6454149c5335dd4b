"""What the published code computes, each departure alone, against formulas of its own."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from tests.trainables.known_diffusion import LATENT, assert_close_in_mean, posterior
from trainables.config import (
    Departures,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    TrialConfig,
)
from trainables.priors import Prior, build_prior
from trainables.priors.diffusion import DiffusionPrior
from trainables.priors.flow import FlowPrior
from trainables.vae import build_vae

T = 30
SHIFTED, WEIGHTED = Departures(index_shift=True), Departures(diffusion_weight=True)
ENTROPY = Departures(entropy_constant=True)
PUBLISHED = Departures(index_shift=True, diffusion_weight=True)


def diffusion(num_steps: int = T, **options: object) -> DiffusionPriorConfig:
    group = {
        "hidden_size": 16, "num_layers": 2, "beta_schedule": {"num_steps": num_steps},
        "prediction": "epsilon",
    }  # fmt: skip
    return DiffusionPriorConfig.model_validate(group | options)


def build(config: object, departures: Departures, latent_size: int = LATENT) -> Prior:
    torch.manual_seed(0)
    return build_prior(config, latent_size, None, departures).eval()  # type: ignore[arg-type]


def build_diffusion(
    departures: Departures, config: DiffusionPriorConfig | None = None
) -> DiffusionPrior:
    prior = build(config or diffusion(), departures)
    assert isinstance(prior, DiffusionPrior)
    return prior


class Levels:
    """A chain in float64 by its own levels: 0 is z, but in the published code z is noised."""

    def __init__(self, *, are_shifted: bool, num_steps: int = T) -> None:
        betas = torch.linspace(1e-4, 0.02, num_steps + are_shifted).double() * 1000 / num_steps
        self.betas = betas if are_shifted else torch.cat([torch.zeros(1).double(), betas])
        self.alphas_bar = (1 - self.betas).cumprod(0)

    def posterior_variance(self, t: int) -> torch.Tensor:
        return (1 - self.alphas_bar[t - 1]) / (1 - self.alphas_bar[t]) * self.betas[t]

    def posterior_mean(self, t: int, z: torch.Tensor, z_t: torch.Tensor) -> torch.Tensor:
        of_z = self.alphas_bar[t - 1].sqrt() * self.betas[t]
        of_z_t = (1 - self.betas[t]).sqrt() * (1 - self.alphas_bar[t - 1])
        return (of_z * z + of_z_t * z_t) / (1 - self.alphas_bar[t])

    def mean(self, t: int, z_t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        factor = self.betas[t] / (1 - self.alphas_bar[t]).sqrt()
        return (z_t - factor * noise) / (1 - self.betas[t]).sqrt()

    def noised(self, t: int, z: torch.Tensor) -> torch.Tensor:
        return self.alphas_bar[t].sqrt() * z + (1 - self.alphas_bar[t]).sqrt() * torch.randn_like(
            z
        )

    def both_means(
        self, t: int, z: torch.Tensor, network: torch.nn.Module
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """μ̃ and μ for many noised states of each z, the network told t."""
        z = z.double().expand(100, -1, -1)
        z_t = self.noised(t, z)
        noise = network(z_t.float(), torch.full(z_t.shape[:-1], t)).double()
        return self.posterior_mean(t, z, z_t), self.mean(t, z_t, noise)


def test_the_published_gaussian_rate_has_the_figures_of_its_formula() -> None:
    """At s = -1, μ = 0: 0.684, or 0.184 without the omitted ½, for the 0.568 nats that are due."""
    q = Independent(Normal(torch.zeros(1, 1), torch.full((1, 1), math.exp(-1))), 1)
    departed, exact = (
        build(GaussianPriorConfig(), departures, latent_size=1).rate(q, q.sample()).item()
        for departures in (Departures(gaussian_kl=True), Departures())
    )
    assert departed == pytest.approx(0.684, abs=5e-4)
    assert departed - 0.5 == pytest.approx(0.184, abs=5e-4)
    assert exact == pytest.approx(0.568, abs=5e-4)


def test_the_published_gaussian_rate_is_half_the_divergence_of_a_wider_posterior() -> None:
    """With s the log of the variance it would be the divergence, but for ½: scale is √scale."""
    q = posterior(4)
    wider = Independent(Normal(q.base_dist.loc, q.base_dist.scale.sqrt()), 1)
    standard = Independent(Normal(torch.zeros(4, LATENT), torch.ones(4, LATENT)), 1)
    expected = kl_divergence(wider, standard) + LATENT / 2
    found = build(GaussianPriorConfig(), Departures(gaussian_kl=True)).rate(q, q.sample())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("departures", [Departures(), Departures(gaussian_kl=False)])
def test_what_departures_leave_open_is_off(departures: Departures) -> None:
    q = posterior(4)
    standard = Independent(Normal(torch.zeros(4, LATENT), torch.ones(4, LATENT)), 1)
    found = build(GaussianPriorConfig(), departures).rate(q, q.sample())
    torch.testing.assert_close(found, kl_divergence(q, standard))


@torch.no_grad()
@pytest.mark.parametrize(
    "config",
    [FlowPriorConfig(hidden_size=16, num_layers=2), diffusion()],
    ids=["flow", "diffusion"],
)
def test_the_entropy_has_its_constant_once_and_a_wrong_one(config: object) -> None:
    q = posterior(7)
    z = q.sample()
    rates, estimates = [], []
    for departures in (ENTROPY, Departures()):
        prior = build(config, departures)
        torch.manual_seed(1)
        rates.append(prior.rate(q, z))
        estimates.append(prior.evaluate_rate(q, z, torch.Generator().manual_seed(1)))
    published = q.base_dist.scale.log().sum(-1) + math.log(2 * math.sqrt(math.pi * math.e))
    torch.testing.assert_close(estimates[0].parts["entropy"], -published)
    expected = q.entropy() - published
    torch.testing.assert_close(rates[0] - rates[1], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        estimates[0].total - estimates[1].total, expected, rtol=1e-4, atol=1e-4
    )


def test_the_bound_weighs_the_means_of_the_published_chain_as_counted() -> None:
    """1 / (2 β̃_t): 9.2e3 at t = 1, 244 at t = 100, 25 at t = 999; the published weight is 1."""
    levels = Levels(are_shifted=True, num_steps=1000)
    weights = {t: (1 / (2 * levels.posterior_variance(t))).item() for t in (1, 100, 999)}
    assert weights[1] == pytest.approx(9.2e3, rel=5e-3)
    assert weights[100] == pytest.approx(244, abs=0.5)
    assert weights[999] == pytest.approx(25, abs=0.05)
    exact, published = (
        build_diffusion(departures, diffusion(1000, variance="posterior"))
        for departures in (SHIFTED, PUBLISHED)
    )
    of_error = exact._usual_weight() / published._usual_weight()
    for t, weight in weights.items():
        assert of_error[t + 1].item() == pytest.approx(weight, rel=1e-3)


def test_the_published_weight_is_68_times_too_low_for_errors_that_are_all_alike() -> None:
    """The same ‖ε - ε̂‖² at every t = 1 … T - 1: Σ_t w_t / Σ_t m_t, the weights that it has."""
    exact, published = (
        build_diffusion(departures, diffusion(1000, variance="posterior"))
        for departures in (SHIFTED, PUBLISHED)
    )
    sums = [(p.multiplicity * p._usual_weight()).double().sum().item() for p in (exact, published)]
    assert sums[0] / sums[1] == pytest.approx(68, abs=0.5)


@torch.no_grad()
@pytest.mark.parametrize("is_shifted", [False, True])
def test_the_published_loss_is_t_times_the_distance_of_the_means(is_shifted: bool) -> None:
    departures = PUBLISHED if is_shifted else WEIGHTED
    prior, q = build_diffusion(departures), posterior(400)
    z = q.sample()
    expected = -q.entropy() + analytic_end(prior, q) + mean_distances(prior, z, is_shifted)
    torch.manual_seed(1)
    rates = torch.stack([prior.rate(q, z) for _ in range(400)]).mean(0)
    assert_close_in_mean(rates - expected, 0.0)
    generator = torch.Generator().manual_seed(1)
    estimates = [prior.evaluate_rate(q, z, generator).total for _ in range(20)]
    assert_close_in_mean(torch.stack(estimates).mean(0) - expected, 0.0)


def analytic_end(prior: DiffusionPrior, q: Independent) -> torch.Tensor:
    signal = prior.end_signal
    loc, scale = q.base_dist.loc.double(), q.base_dist.scale.double()
    end = Normal(math.sqrt(signal) * loc, (signal * scale**2 + 1 - signal).sqrt())
    return kl_divergence(end, Normal(torch.zeros_like(loc), torch.ones_like(loc))).sum(-1)


def mean_distances(prior: DiffusionPrior, z: torch.Tensor, is_shifted: bool) -> torch.Tensor:
    """T E_t‖μ̃ - μ‖², t uniform over 1 … T, or over 1 … T - 1 of the published levels."""
    levels, distances = Levels(are_shifted=is_shifted), []
    for t in range(1, T if is_shifted else T + 1):
        # Our time of a published level t is t + 1, of which training tells t.
        expected, mean = levels.both_means(t, z, prior.process.network)
        distances.append((expected - mean).square().sum(-1).mean(0))
    return T * torch.stack(distances).mean(0)


@torch.no_grad()
@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_shift_alone_leaves_the_terms_of_the_bound_between_its_ends(variance: str) -> None:
    prior, q = build_diffusion(SHIFTED, diffusion(variance=variance)), posterior(400)
    z, levels = q.sample(), Levels(are_shifted=True)
    signal = levels.alphas_bar[-1]
    end = Normal(signal.sqrt() * z, (1 - signal).sqrt())
    expected = kl_divergence(end, Normal(torch.zeros(()).double(), 1)).sum(-1) - q.entropy()
    for t in range(1, T):
        of_q, of_p = levels.both_means(t, z, prior.process.network)
        posterior_scale = levels.posterior_variance(t).sqrt()
        scale = levels.betas[t].sqrt() if variance == "beta" else posterior_scale
        divergence = kl_divergence(Normal(of_q, posterior_scale), Normal(of_p, scale))
        expected = expected + T / (T - 1) * divergence.sum(-1).mean(0)
    generator = torch.Generator().manual_seed(1)
    estimates = [prior.evaluate_rate(q, z, generator).total for _ in range(20)]
    assert_close_in_mean(torch.stack(estimates).mean(0) - expected, 0.0)


def test_the_shifted_network_is_told_a_time_less_in_training_than_in_sampling() -> None:
    prior, seen = build_diffusion(SHIFTED), []
    predict, network = prior.process.predict, prior.process.network
    told: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, args: told.append(args[1].clone()))

    def recorded(z_t: torch.Tensor, t: torch.Tensor, **options: object) -> object:
        seen.append(t.clone())
        return predict(z_t, t, **options)

    prior.process.predict = recorded  # type: ignore[method-assign]
    q = posterior(2000)
    prior.rate(q, q.sample())
    assert torch.equal(told[0], seen[0] - 1)
    assert set(seen[0].tolist()) == set(range(2, T + 1))  # levels 1 … T - 1
    seen.clear(), told.clear()
    prior.sample(1)
    assert torch.equal(torch.cat(told), torch.cat(seen))
    assert torch.cat(seen).tolist() == list(range(T + 1, 0, -1))  # levels T … 0


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_shifted_sampler_adds_noise_at_its_last_step_too(variance: str) -> None:
    prior = build_diffusion(SHIFTED, diffusion(variance=variance))
    _, deviation = prior.process.transition(torch.zeros(1, LATENT), prior.steps[-1])
    first_beta = Levels(are_shifted=True).betas[0].float()
    torch.testing.assert_close(deviation.square(), first_beta.expand(1, LATENT))


def test_the_published_weight_draws_every_time_alike() -> None:
    law = build_diffusion(WEIGHTED).training_law
    torch.testing.assert_close(law.inverse_probability[1:], torch.full((T,), float(T)))


@pytest.mark.parametrize(
    ("options", "departures", "complaint"),
    [
        ({"variance": "learned"}, WEIGHTED, "leaves the variance out"),
        ({"weighting": "simple"}, WEIGHTED, "a weighting of its own"),
        ({"beta_schedule": {"num_steps": 1, "rescale": False}}, SHIFTED, "needs beta_schedule"),
    ],
)
def test_a_departure_that_does_not_go_with_the_config_is_refused(
    options: dict[str, object], departures: Departures, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        build(diffusion(**options), departures)


class Said(torch.nn.Module):
    """A flow's network that says the same for every dimension: shift, log scale."""

    def __init__(self, shift: float, log_scale: float) -> None:
        super().__init__()
        self.said = torch.tensor([shift, log_scale])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.said.repeat(z.shape[-1]).expand(*z.shape[:-1], -1)


@pytest.mark.parametrize(
    ("said", "cut"), [((9.0, 1.0), (5.0, 1.0)), ((-9.0, 4.0), (-5.0, 2.0)),
                      ((1.0, -8.0), (1.0, -5.0)), ((-0.5, 0.3), (-0.5, 0.3))],
)  # fmt: skip
def test_a_clamped_flow_cuts_its_shift_and_log_scale_off(
    said: tuple[float, float], cut: tuple[float, float]
) -> None:
    config = FlowPriorConfig(hidden_size=16, num_layers=2, num_transforms=1)
    clamped = build(config, Departures(flow_clamp=True))
    assert isinstance(clamped, FlowPrior)
    clamped.flow.transform.transforms[0].hyper = Said(*said)
    shift, log_scale = cut
    z = torch.randn(50, LATENT)
    u = z.double() * math.exp(log_scale) + shift
    expected = Normal(0.0, 1.0).log_prob(u).sum(-1) + LATENT * log_scale
    torch.testing.assert_close(clamped.log_prob(z).double(), expected, rtol=1e-4, atol=1e-3)
    samples = clamped.sample(20_000)
    assert samples.mean().item() == pytest.approx(
        -shift * math.exp(-log_scale), abs=0.05 * math.exp(-log_scale)
    )


def test_without_the_clamp_a_flow_bounds_its_log_scale_smoothly() -> None:
    config = FlowPriorConfig(hidden_size=16, num_layers=2, num_transforms=1)
    prior = build(config, Departures())
    assert isinstance(prior, FlowPrior)
    prior.flow.transform.transforms[0].hyper = Said(9.0, 0.0)
    z = torch.zeros(1, LATENT)
    expected = Normal(0.0, 1.0).log_prob(torch.tensor(9.0)) * LATENT
    torch.testing.assert_close(prior.log_prob(z), expected.expand(1))


def test_an_exponential_scale_is_exp_of_what_the_encoder_says() -> None:
    values = {
        "data": {"dataset": "digits"}, "latent_size": LATENT, "prior": {"kind": "gaussian"},
        "network": {"num_channels": 2}, "max_epochs": 1,
    }  # fmt: skip
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    scales, said = [], None
    for departures in ({}, {"exponential_scale": True}):
        torch.manual_seed(0)
        encoder = build_vae(
            TrialConfig.model_validate(values | {"departures": departures})
        ).encoder
        said = encoder.head(encoder.features(x)).chunk(2, dim=-1)[1]
        scales.append(encoder(x)[1])
    assert said is not None
    torch.testing.assert_close(scales[0], torch.nn.functional.softplus(said) + 1e-4)
    torch.testing.assert_close(scales[1], said.exp())


@pytest.mark.parametrize("name", ["flow_clamp", "exponential_scale"])
def test_what_bounds_a_network_leaves_the_bound(name: str) -> None:
    values = {
        "data": {"dataset": "digits"}, "latent_size": LATENT, "prior": {"kind": "flow"},
        "max_epochs": 1, "departures": {name: True},
    }  # fmt: skip
    assert TrialConfig.model_validate(values).has_bound
