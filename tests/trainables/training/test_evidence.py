"""The importance-weighted estimate, on models whose evidence is known in closed form."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from tests.trainables.known_diffusion import (
    VARIANCES,
    diffusion,
    marginal_variance,
    with_linear_network,
)
from tests.trainables.linear_model import LinearEncoder, LinearLikelihood
from trainables.config import FlowPriorConfig, TrialConfig
from trainables.level import x_from_levels
from trainables.priors import Prior
from trainables.priors.flow import FlowPrior
from trainables.priors.gaussian import GaussianPrior
from trainables.training.evidence import (
    Evidence,
    estimate_evidence,
    evidence_from,
    importance_log_weights,
)
from trainables.vae import VAE, build_vae

NUM_IMAGES = 40


def standard_flow(latent_size: int) -> FlowPrior:
    """N(0, I), as a flow whose networks say nothing."""
    prior = FlowPrior(FlowPriorConfig(hidden_size=8, num_layers=1), latent_size)
    for parameter in prior.parameters():
        nn.init.zeros_(parameter)
    return prior


PRIORS: dict[str, Callable[[int], Prior]] = {
    "gaussian": GaussianPrior,
    "flow": standard_flow,
    "diffusion": lambda latent_size: with_linear_network(diffusion(), latent_size=latent_size),
}


def linear_model(prior: Prior, stretch: float, variance: float = 1.0) -> VAE:
    """Its columns are orthogonal, so that the true posterior is diagonal."""
    torch.manual_seed(3)
    weight = torch.linalg.qr(torch.randn(12, prior.latent_size)).Q
    likelihood = LinearLikelihood(weight, scale=0.3)
    return VAE(LinearEncoder(likelihood, stretch, variance), likelihood, prior)


def weights_and_evidence(
    prior: Prior, num_samples: int, stretch: float = 1.1, variance: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log weights of images that the model itself drew, and log p(x) of each."""
    model = linear_model(prior, stretch, variance)
    z = math.sqrt(variance) * torch.randn(NUM_IMAGES, prior.latent_size)
    x = model.likelihood(z).sample()
    log_weights = importance_log_weights(model, x, num_samples, ("test",))
    assert log_weights is not None
    return log_weights, model.likelihood.evidence(x, variance)


def assert_estimates(log_weights: torch.Tensor, evidence: torch.Tensor) -> None:
    """Within the error that is left, and the bias of the logarithm of a mean."""
    found = evidence_from(log_weights)
    gap = log_weights.logsumexp(1) - math.log(log_weights.shape[1]) - evidence
    error, bias = gap.std() / len(gap) ** 0.5, 1 / found.effective_samples
    assert -4 * error - bias < gap.mean() < 4 * error + 1e-3
    assert found.estimate == pytest.approx((gap + evidence).mean().item())
    assert found.elbo <= found.estimate
    assert found.is_converged


@pytest.mark.parametrize("name", PRIORS)
def test_with_the_true_posterior_every_weight_is_the_evidence(name: str) -> None:
    log_weights, evidence = weights_and_evidence(PRIORS[name](2), 50, stretch=1.0)
    torch.testing.assert_close(
        log_weights, evidence[:, None].expand_as(log_weights), atol=2e-3, rtol=0
    )
    found = evidence_from(log_weights)
    assert found.effective_samples == pytest.approx(50, rel=1e-3)
    assert found.looseness == pytest.approx(0, abs=1e-5)
    assert found.is_converged


@pytest.mark.parametrize("name", PRIORS)
def test_near_the_true_posterior_the_evidence_is_found(name: str) -> None:
    assert_estimates(*weights_and_evidence(PRIORS[name](2), 500, stretch=1.3))


@pytest.mark.parametrize("schedule", [{}, {"kind": "cosine"}], ids=["linear", "cosine"])
@pytest.mark.parametrize("variance", VARIANCES)
def test_a_chain_whose_bound_is_loose_has_its_own_evidence(
    variance: str, schedule: dict[str, object]
) -> None:
    config = diffusion(
        variance=variance, prediction="v", beta_schedule={"num_steps": 50} | schedule
    )
    prior = with_linear_network(config, latent_size=2)
    log_weights, evidence = weights_and_evidence(prior, 1000, variance=marginal_variance(config))
    assert_estimates(log_weights, evidence)
    if variance == "posterior":
        assert evidence_from(log_weights).looseness > 1


@pytest.mark.parametrize("variance", VARIANCES)
def test_a_thousand_steps_have_their_evidence(variance: str) -> None:
    config = diffusion(variance=variance, beta_schedule={"num_steps": 1000})
    prior = with_linear_network(config, latent_size=1)
    assert_estimates(*weights_and_evidence(prior, 200, variance=marginal_variance(config)))


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("stretch", [0.1, 10.0])
def test_with_a_bad_posterior_it_says_that_it_has_not_converged(name: str, stretch: float) -> None:
    log_weights, evidence = weights_and_evidence(PRIORS[name](8), 100, stretch=stretch)
    found = evidence_from(log_weights)
    assert not found.is_converged
    assert found.elbo < found.estimate < evidence.mean()


def test_more_samples_come_nearer_from_below() -> None:
    log_weights, evidence = weights_and_evidence(GaussianPrior(2), 1000, stretch=2.0)
    bounds = [evidence_from(log_weights[:, :k]).estimate for k in (10, 100, 1000)]
    assert evidence_from(log_weights).elbo < bounds[0] < bounds[1] < bounds[2] + 0.02
    assert bounds[2] == pytest.approx(evidence.mean().item(), abs=0.05)


def test_what_is_told_follows_from_the_weights() -> None:
    log_weights = torch.randn(7, 30, generator=torch.Generator().manual_seed(1)).double() - 50
    w = log_weights.exp().numpy()
    estimates, elbos = np.log(w.mean(1)), np.log(w).mean(1)
    found = evidence_from(log_weights)
    assert found.estimate == pytest.approx(estimates.mean())
    assert found.standard_error == pytest.approx(estimates.std(ddof=1) / 7**0.5)
    assert found.at_a_tenth == pytest.approx(np.log(w.reshape(7, 10, 3).mean(2)).mean())
    assert found.effective_samples == pytest.approx(np.median(w.sum(1) ** 2 / (w**2).sum(1)))
    assert found.looseness == pytest.approx(found.estimate - found.elbo)
    assert found.looseness_error == pytest.approx((estimates - elbos).std(ddof=1) / 7**0.5)
    assert (found.num_samples, found.num_images) == (30, 7)


def test_a_single_image_has_no_standard_error() -> None:
    found = evidence_from(torch.zeros(1, 10).double())
    assert (found.standard_error, found.looseness_error) == (None, None)


def config(**fields: object) -> TrialConfig:
    values = {
        "data": {"dataset": "digits"}, "latent_size": 3, "prior": {"kind": "gaussian"},
        "network": {"num_channels": 4}, "max_epochs": 1,
        "evidence": {"num_samples": 20, "num_images": 6},
    }  # fmt: skip
    return TrialConfig.model_validate(values | fields)


def levels(num_images: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(17, (num_images, 1, 8, 8), generator=generator).to(torch.uint8)


def estimate(trial: TrialConfig, num_images: int = 30, noise: object = 0) -> Evidence | None:
    torch.manual_seed(0)
    return estimate_evidence(build_vae(trial), levels(num_images), trial, ("test", noise))


def test_the_first_images_are_estimated_with_the_samples_asked_for() -> None:
    found = estimate(config())
    assert found is not None
    assert (found.num_samples, found.num_images) == (20, 6)
    assert found == estimate(config(), num_images=6)
    fewer = estimate(config(), num_images=4)
    assert fewer is not None
    assert fewer.num_images == 4


@pytest.mark.parametrize(
    "prior",
    [
        {"kind": "gaussian"},
        {"kind": "flow", "hidden_size": 16},
        {"kind": "diffusion", "hidden_size": 16, "beta_schedule": {"num_steps": 25}},
    ],
    ids=lambda prior: prior["kind"],
)
def test_its_elbo_is_the_bound_on_the_same_images(prior: dict[str, object]) -> None:
    trial = config(
        data={"dataset": "digits", "dequantise": False}, likelihood={"scale": 0.3},
        prior=prior, evidence={"num_samples": 2000, "num_images": 4},
    )  # fmt: skip
    found = estimate(trial)
    assert found is not None
    torch.manual_seed(0)
    model, generator = build_vae(trial).eval(), torch.Generator().manual_seed(2)
    x = x_from_levels(levels(4), trial.data).repeat_interleave(2000, 0)
    bounds = model.evaluate(x, generator).elbo.unflatten(0, (4, 2000))
    error = bounds.std(1).square().sum().sqrt().item() / 4 / 2000**0.5
    assert found.elbo == pytest.approx(bounds.mean().item(), abs=10 * error)


def test_it_depends_on_its_noise_and_leaves_other_random_numbers_alone() -> None:
    assert estimate(config()) == estimate(config())
    assert estimate(config()) != estimate(config(), noise=1)
    trial = config()
    model, state = build_vae(trial), torch.get_rng_state()
    estimate_evidence(model, levels(6), trial, ("test",))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    "fields", [{"evidence": {"num_images": 0}}, {"objective": "published"}], ids=str
)
def test_where_there_is_nothing_to_estimate_there_is_no_estimate(
    fields: dict[str, object],
) -> None:
    assert estimate(config(**fields)) is None


class SilentPrior(Prior):
    """A prior of a user's own, with a rate and samples only."""

    def rate(self, q: Independent[Normal], z: torch.Tensor) -> torch.Tensor:
        return q.log_prob(z)

    def sample(self, num_samples: int) -> torch.Tensor:
        return torch.zeros(num_samples, self.latent_size)


class DensePrior(SilentPrior):
    """The same with a density."""

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        return Normal(0.0, 1.0).log_prob(z).sum(-1)


def with_prior(prior: Prior) -> Evidence | None:
    trial = config()
    torch.manual_seed(0)
    model = build_vae(trial)
    model.prior = prior
    return estimate_evidence(model, levels(6), trial, ("test", 0))


def test_a_prior_without_a_weight_has_no_evidence() -> None:
    assert SilentPrior(3).log_weight(torch.zeros(2, 3), torch.Generator()) is None
    assert with_prior(SilentPrior(3)) is None


def test_a_prior_with_a_density_of_its_own_has_an_evidence() -> None:
    found, expected = with_prior(DensePrior(3)), with_prior(GaussianPrior(3))
    assert found is not None
    assert expected is not None
    assert found.estimate == pytest.approx(expected.estimate)
