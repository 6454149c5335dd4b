import math
from itertools import pairwise

import pytest
import torch

from tests.trainables.linear_model import LinearEncoder, LinearLikelihood
from trainables.config import (
    BetaScheduleConfig,
    DataConfig,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianLikelihoodConfig,
    GaussianPriorConfig,
    ImageFormat,
    PlainNetworkConfig,
    PriorConfig,
    TrialConfig,
)
from trainables.priors.gaussian import GaussianPrior
from trainables.vae import VAE, Evaluation, build_vae

PRIORS = [
    GaussianPriorConfig(),
    FlowPriorConfig(num_transforms=2, hidden_size=16, num_layers=1),
    DiffusionPriorConfig(
        hidden_size=16, num_layers=2, beta_schedule=BetaScheduleConfig(num_steps=30)
    ),
]
WITH_DENSITY = PRIORS[:2]


def config(prior: PriorConfig, size: int = 8, **changes: object) -> TrialConfig:
    image = ImageFormat(channels=2, size=size)
    return TrialConfig(
        data=DataConfig(dataset="made-up", format=image),
        latent_size=3,
        prior=prior,
        network=PlainNetworkConfig(num_channels=4),
        max_epochs=1,
        **changes,
    )


def build(prior: PriorConfig, **changes: object) -> VAE:
    torch.manual_seed(0)
    return build_vae(config(prior, **changes))


def images(num_images: int = 6, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(num_images, 2, size, size, generator=generator) * 2 - 1


@pytest.fixture(params=PRIORS, ids=lambda prior: prior.kind)
def vae(request: pytest.FixtureRequest) -> VAE:
    return build(request.param)


def trained(vae: VAE, num_steps: int = 60) -> VAE:
    torch.manual_seed(2)
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    for _ in range(num_steps):
        optimizer.zero_grad()
        (-vae.elbo(images(32)).value.mean()).backward()
        optimizer.step()
    return vae


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.kind)
def test_images_come_out_as_they_went_in(prior: PriorConfig, size: int) -> None:
    vae, x = build(prior, size=size), images(3, size)
    elbo = vae.elbo(x)
    assert vae.reconstruct(x).shape == vae.sample(3).shape == x.shape
    assert elbo.rate.shape == elbo.distortion.shape == elbo.value.shape == (3,)


def test_the_bound_is_minus_rate_and_distortion(vae: VAE) -> None:
    elbo = vae.elbo(images())
    assert torch.equal(elbo.value, -(elbo.rate + elbo.distortion))


def test_samples_and_reconstructions_are_images(vae: VAE) -> None:
    assert vae.sample(50).abs().max() <= 1
    assert vae.reconstruct(images()).abs().max() <= 1


def test_a_step_reaches_every_parameter(vae: VAE) -> None:
    vae.elbo(images()).value.sum().backward()
    missing = [
        name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert not missing


def test_the_same_seed_gives_the_same_bits(vae: VAE) -> None:
    def draws() -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(5)
        return vae.elbo(images()).value, vae.sample(4)

    assert all(torch.equal(a, b) for a, b in zip(draws(), draws(), strict=True))


def test_evaluation_draws_from_its_generator_alone(vae: VAE) -> None:
    def evaluation() -> Evaluation:
        return vae.evaluate(images(), torch.Generator().manual_seed(7))

    torch.manual_seed(1)
    first, state = evaluation(), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first.elbo, evaluation().elbo)
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_evaluation_and_training_estimate_the_same_bound(vae: VAE) -> None:
    x, generator = images().repeat(300, 1, 1, 1), torch.Generator().manual_seed(3)
    with torch.no_grad():
        training, evaluation = vae.elbo(x).value, vae.evaluate(x, generator).elbo
    difference = (training - evaluation).mean()
    assert difference.abs() < 4 * (training - evaluation).std() / len(x) ** 0.5


def test_evaluation_says_how_the_rate_was_found(vae: VAE) -> None:
    found = vae.evaluate(images(), torch.Generator().manual_seed(7))
    torch.testing.assert_close(found.elbo, -(found.rate.total + found.distortion))
    torch.testing.assert_close(sum(found.rate.parts.values()), found.rate.total)


def test_training_raises_the_bound(vae: VAE) -> None:
    before = vae.evaluate(images(32), torch.Generator().manual_seed(7)).elbo.mean()
    after = trained(vae).evaluate(images(32), torch.Generator().manual_seed(7)).elbo.mean()
    assert after > before


@pytest.mark.parametrize("prior", WITH_DENSITY, ids=lambda prior: prior.kind)
def test_the_bound_stays_below_an_importance_weighted_one(prior: PriorConfig) -> None:
    vae, x = trained(build(prior, likelihood=GaussianLikelihoodConfig(scale=0.5))), images(8)
    with torch.no_grad():
        q = vae.posterior(x)
        z = q.sample((500,))
        log_p_x = [vae.likelihood(each).log_prob(x) + vae.prior.log_prob(each) for each in z]
        log_weights = torch.stack(log_p_x) - q.log_prob(z)
        elbos = torch.stack([vae.elbo(x).value for _ in range(500)])
    importance_weighted = log_weights.logsumexp(0) - torch.tensor(500.0).log()
    tolerance = 4 * elbos.std(0) / 500**0.5
    assert torch.all(elbos.mean(0) < importance_weighted + tolerance)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.kind)
def test_the_weights_are_all_that_a_checkpoint_needs(prior: PriorConfig) -> None:
    vae = build(prior)
    torch.manual_seed(9)
    other = build_vae(config(prior))
    other.load_state_dict(trained(vae, num_steps=2).state_dict())
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    values = [
        model.evaluate(images(), g).elbo for model, g in zip((vae, other), generators, strict=True)
    ]
    assert torch.equal(*values)


@torch.no_grad()
def test_the_bounds_of_a_linear_model_lie_below_its_evidence() -> None:
    torch.manual_seed(0)
    likelihood = LinearLikelihood(torch.randn(12, 3) / 2, scale=0.5)
    vae = VAE(LinearEncoder(likelihood, stretch=1.2), likelihood, GaussianPrior(3))
    x = likelihood(torch.randn(200, 3)).sample()
    evidence = likelihood.evidence(x)
    q = vae.posterior(x)
    z = q.sample((200,))
    log_p = [likelihood(each).log_prob(x) + vae.prior.log_prob(each) for each in z]
    log_weights = torch.stack(log_p) - q.log_prob(z)
    importance_weighted = log_weights.logsumexp(0) - math.log(len(z))
    bounds = [log_weights.mean(0), importance_weighted, evidence]
    for lower, upper in pairwise(bounds):
        gap = upper - lower
        assert gap.mean() > -4 * gap.std() / len(x) ** 0.5
    assert (evidence - importance_weighted).mean() < (evidence - log_weights.mean(0)).mean() / 4
