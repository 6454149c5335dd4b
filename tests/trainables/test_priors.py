import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from trainables.config import (
    BetaScheduleConfig,
    Departures,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    PriorConfig,
    PriorConfigBase,
    SamplerConfig,
)
from trainables.priors import Prior, build_prior
from trainables.priors.gaussian import GaussianPrior

LATENT = 3
GAUSSIAN, FLOW = GaussianPriorConfig(), FlowPriorConfig(hidden_size=16, num_layers=2)


def diffusion(num_steps: int = 30, **options: object) -> DiffusionPriorConfig:
    group = {"hidden_size": 16, "num_layers": 2, "beta_schedule": {"num_steps": num_steps}}
    return DiffusionPriorConfig.model_validate(group | options)


COSINE = BetaScheduleConfig(kind="cosine", num_steps=40)
SIMPLE = {
    "diffusion-simple": diffusion(weighting="simple"),
    "diffusion-simple-learned": diffusion(weighting="simple", variance="learned"),
}
EXACT: dict[str, PriorConfig] = {
    "gaussian": GAUSSIAN,
    "flow": FLOW,
    "diffusion-beta": diffusion(50),
    "diffusion-posterior": diffusion(variance="posterior"),
    "diffusion-analytic": diffusion(variance="analytic"),
    "diffusion-learned": diffusion(variance="learned"),
    "diffusion-cosine-posterior": diffusion(beta_schedule=COSINE, variance="posterior"),
    "diffusion-cosine-learned": diffusion(beta_schedule=COSINE, variance="learned"),
    "diffusion-quadratic": diffusion(beta_schedule={"kind": "quadratic", "num_steps": 30}),
    "diffusion-x0": diffusion(prediction="x0"),
    "diffusion-v": diffusion(prediction="v"),
    "diffusion-uniform": diffusion(times="uniform"),
    "diffusion-stratified": diffusion(times="stratified"),
    "diffusion-residual": diffusion(network="residual"),
    "diffusion-ddim": diffusion(sampler=SamplerConfig(kind="ddim", num_steps=5)),
    "diffusion-one-step": diffusion(beta_schedule={"num_steps": 1, "rescale": False}),
    **SIMPLE,
}
DEPARTED = {
    "gaussian-kl": (GAUSSIAN, Departures(gaussian_kl=True)),
    "flow-entropy": (FLOW, Departures(entropy_constant=True)),
    "diffusion-entropy": (diffusion(), Departures(entropy_constant=True)),
    "diffusion-weight": (diffusion(), Departures(diffusion_weight=True)),
    "diffusion-shift": (diffusion(), Departures(index_shift=True)),
    "diffusion-shift-learned": (diffusion(variance="learned"), Departures(index_shift=True)),
    "diffusion-published": (
        diffusion(variance="posterior"),
        Departures(diffusion_weight=True, index_shift=True, entropy_constant=True),
    ),
}
PRIORS = {name: (config, Departures()) for name, config in EXACT.items()} | DEPARTED
WITH_DENSITY = ["gaussian", "flow", "gaussian-kl", "flow-entropy"]


def build(name: str, latent_size: int = LATENT) -> Prior:
    torch.manual_seed(0)
    config, departures = PRIORS[name]
    return build_prior(config, latent_size, None, departures).eval()


def posterior(num_images: int = 1, latent_size: int = LATENT) -> Independent:
    loc = torch.linspace(-1, 1, latent_size).expand(num_images, -1)
    scale = torch.linspace(0.3, 0.9, latent_size).expand(num_images, -1)
    return Independent(Normal(loc, scale), 1)


@pytest.fixture(params=PRIORS)
def prior(request: pytest.FixtureRequest) -> Prior:
    return build(request.param)


@pytest.fixture(params=["gaussian", "flow"])
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
    q = posterior(20_000)
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
    z = q.rsample()
    (prior.rate(q, z).sum() + prior.auxiliary_loss(z.detach())).backward()
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


@pytest.mark.parametrize("name", [name for name in PRIORS if name not in SIMPLE])
def test_nothing_trains_a_prior_alone(name: str) -> None:
    assert build(name).auxiliary_loss(torch.randn(5, LATENT)) == 0


@pytest.mark.parametrize("name", PRIORS)
def test_a_single_latent_dimension_is_enough(name: str) -> None:
    prior, q = build(name, latent_size=1), posterior(4, latent_size=1)
    assert torch.isfinite(prior.rate(q, q.rsample())).all()
    assert prior.sample(4).shape == (4, 1)


def test_only_an_exact_density_is_offered() -> None:
    assert [name for name in PRIORS if hasattr(build(name), "log_prob")] == WITH_DENSITY


def test_only_a_prior_that_factorises_has_a_rate_for_each_dimension() -> None:
    q = posterior(4)
    offers = [name for name in PRIORS if build(name).rate_by_dimension(q) is not None]
    assert offers == ["gaussian", "gaussian-kl"]


@pytest.mark.parametrize("name", ["gaussian", "gaussian-kl"])
def test_the_rates_of_the_dimensions_sum_to_the_rate(name: str) -> None:
    prior, q = build(name), posterior(4)
    by_dimension = prior.rate_by_dimension(q)
    assert by_dimension is not None
    assert by_dimension.shape == (4, LATENT)
    torch.testing.assert_close(by_dimension.sum(-1), prior.rate(q, q.sample()))


def test_a_prior_of_a_users_own_is_what_its_config_builds() -> None:
    class OwnPriorConfig(PriorConfigBase):
        kind: str = "own"

        def build(self, latent_size: int, posterior: object = None) -> Prior:
            assert posterior is encoder
            return GaussianPrior(latent_size + 1)

    encoder = torch.nn.Identity()
    assert build_prior(OwnPriorConfig(), LATENT, encoder).latent_size == LATENT + 1


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_is_restored_from_its_state(name: str) -> None:
    trained, fresh, q = build(name).train(), build(name), posterior(50)
    for parameter in trained.parameters():
        parameter.data.mul_(1.5)
    trained.rate(q, q.sample())
    fresh.load_state_dict(trained.state_dict())
    z = q.sample()
    with torch.no_grad():
        totals = [p.evaluate_rate(q, z, torch.Generator()).total for p in (trained, fresh)]
    assert torch.equal(*totals)


def test_the_gaussian_rate_is_the_divergence_of_torch() -> None:
    q = posterior(2)
    standard = Independent(Normal(torch.zeros(2, LATENT), torch.ones(2, LATENT)), 1)
    torch.testing.assert_close(build("gaussian").rate(q, q.sample()), kl_divergence(q, standard))


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
@pytest.mark.parametrize("name", ["gaussian", "flow"])
def test_a_density_integrates_to_one(name: str) -> None:
    log_p, area = grid_density(sharpened(build(name, latent_size=2)))
    assert (log_p.exp().sum() * area).item() == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", ["gaussian", "flow"])
def test_samples_follow_the_density(name: str) -> None:
    prior = sharpened(build(name, latent_size=2))
    log_p, area = grid_density(prior)
    entropy = -(log_p.exp() * log_p).sum() * area
    assert_close_in_mean(-prior.log_prob(prior.sample(20_000)).double(), entropy)


@torch.no_grad()
def test_the_inverse_of_a_flow_inverts_it() -> None:
    transform, z = sharpened(build("flow")).flow().transform, torch.randn(20, LATENT)
    torch.testing.assert_close(transform.inv(transform(z)), z, atol=1e-4, rtol=1e-4)
