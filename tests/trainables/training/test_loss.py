"""What training lowers: weights, free bits, and what trains the prior alone."""

from typing import Any

import pytest
import torch

from trainables.config import TrialConfig
from trainables.error import InputError
from trainables.training.loss import build_gate, training_loss
from trainables.vae import VAE, Elbo, build_vae

RATES = torch.tensor([[0.1, 2.0, 0.5], [0.3, 4.0, 0.1]])
PRIORS = {
    "gaussian": {"kind": "gaussian"},
    "flow": {"kind": "flow", "hidden_size": 8, "num_layers": 1},
    "diffusion": {"kind": "diffusion", "hidden_size": 8, "beta_schedule": {"num_steps": 30}},
}


def config(prior: str = "gaussian", *, revision: int = 2, **annealing: Any) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "revision": revision, "data": {"dataset": "digits"}, "latent_size": 3,
            "network": {"num_channels": 2}, "prior": PRIORS[prior], "kl_annealing": annealing,
            "max_epochs": 1,
        }
    )  # fmt: skip


def elbo(*, factorises: bool) -> Elbo:
    return Elbo(
        rate=RATES.sum(-1),
        distortion=torch.tensor([10.0, 20.0]),
        auxiliary=torch.tensor(0.25),
        rate_by_dimension=RATES if factorises else None,
    )


@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("factorises", [True, False])
def test_only_the_rate_is_weighed(kl_weight: float, *, factorises: bool) -> None:
    loss = training_loss(elbo(factorises=factorises), config(), kl_weight, None)
    assert loss.item() == pytest.approx(15 + kl_weight * 3.5 + 0.25)


def gradients(prior: str, free_bits: float, of: str = "total", revision: int = 2) -> VAE:
    """A model after the backward pass of one batch's rate alone."""
    chosen = config(prior, free_bits=free_bits, free_bits_of=of, revision=revision)
    torch.manual_seed(0)
    model = build_vae(chosen)
    x = torch.rand(50, 1, 8, 8) * 2 - 1
    gate = build_gate(chosen)
    bound = model.elbo(x, gate)
    without_distortion = Elbo(bound.rate, 0 * bound.distortion, bound.auxiliary,
                              bound.rate_by_dimension)  # fmt: skip
    training_loss(without_distortion, chosen, 1.0, gate).backward()
    return model


def size(module: torch.nn.Module) -> float:
    found = [p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None]
    return sum(found)


@pytest.mark.parametrize("prior", ["flow", "diffusion"])
def test_below_its_free_bits_a_rate_still_trains_the_prior(prior: str) -> None:
    """The first free bits stopped it: a gradient of exactly 0."""
    free, paid = gradients(prior, free_bits=1000.0), gradients(prior, free_bits=0.0)
    assert size(free.encoder) == 0
    assert size(paid.encoder) > 0
    for of_free, of_paid in zip(free.prior.parameters(), paid.prior.parameters(), strict=True):
        assert of_free.grad is not None
        assert of_paid.grad is not None
        torch.testing.assert_close(of_free.grad, of_paid.grad)
    assert size(paid.prior) > 0
    assert size(gradients(prior, free_bits=1000.0, revision=1).prior) == 0


@pytest.mark.parametrize("prior", PRIORS)
def test_above_its_free_bits_a_rate_costs_all_that_it_is(prior: str) -> None:
    free, paid = gradients(prior, free_bits=1e-6), gradients(prior, free_bits=0.0)
    for of_free, of_paid in zip(free.parameters(), paid.parameters(), strict=True):
        torch.testing.assert_close(of_free.grad, of_paid.grad)


@pytest.mark.parametrize("prior", PRIORS)
def test_free_bits_are_those_of_the_total_for_every_prior(prior: str) -> None:
    """λ times the latent size: just below and just above what the batch pays."""
    chosen = config(prior)
    torch.manual_seed(0)
    model = build_vae(chosen)
    rate = model.elbo(torch.rand(50, 1, 8, 8) * 2 - 1).rate.mean().item()
    assert size(gradients(prior, free_bits=1.01 * rate / 3).encoder) == 0
    assert size(gradients(prior, free_bits=0.99 * rate / 3).encoder) > 0


def test_a_dimension_below_its_free_bits_is_free_by_itself() -> None:
    chosen = config(free_bits=0.5, free_bits_of="dimension")
    gate = build_gate(chosen)
    assert gate is not None
    training_loss(elbo(factorises=True), chosen, 1.0, gate)
    assert gate.share.tolist() == [0.0, 1.0, 0.0]  # mean rates 0.2, 3.0 and 0.3
    with pytest.raises(InputError, match="needs a prior that factorises"):
        training_loss(elbo(factorises=False), chosen, 1.0, gate)


def test_only_free_bits_have_a_gate() -> None:
    assert build_gate(config()) is None
    assert build_gate(config(free_bits=0.1)) is not None


@pytest.mark.parametrize(("free_bits", "rate"), [(0.5, 3.5), (2.0, 6.0)])
def test_free_bits_of_revision_1_clamp_the_total(free_bits: float, rate: float) -> None:
    loss = training_loss(
        elbo(factorises=False), config(revision=1, free_bits=free_bits), 1.0, None
    )
    assert loss.item() == pytest.approx(15 + rate + 0.25)


def test_free_bits_of_revision_1_clamp_each_dimension_where_the_prior_factorises() -> None:
    # Mean rates 0.2, 3.0 and 0.3: the first and the last are raised to half a nat.
    loss = training_loss(elbo(factorises=True), config(revision=1, free_bits=0.5), 1.0, None)
    assert loss.item() == pytest.approx(15 + 0.5 + 3.0 + 0.5 + 0.25)
