"""What training lowers: weights, free bits, and what trains the prior alone."""

import pytest
import torch

from trainables.loss import training_loss
from trainables.vae import Elbo

RATES = torch.tensor([[0.1, 2.0, 0.5], [0.3, 4.0, 0.1]])


def elbo(*, factorises: bool) -> Elbo:
    return Elbo(
        rate=RATES.sum(-1),
        distortion=torch.tensor([10.0, 20.0]),
        auxiliary=torch.tensor(0.25),
        rate_by_dimension=RATES if factorises else None,
    )


def loss(*, kl_weight: float = 1.0, free_bits: float = 0.0, factorises: bool = True) -> float:
    value = training_loss(
        elbo(factorises=factorises), kl_weight=kl_weight, free_bits=free_bits, latent_size=3
    )
    return value.item()


@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("factorises", [True, False])
def test_only_the_rate_is_weighed(kl_weight: float, *, factorises: bool) -> None:
    expected = 15 + kl_weight * 3.5 + 0.25
    assert loss(kl_weight=kl_weight, factorises=factorises) == pytest.approx(expected)


def test_free_bits_are_those_of_each_dimension_where_the_prior_factorises() -> None:
    # Mean rates 0.2, 3.0 and 0.3: the first and the last are raised to half a nat.
    assert loss(free_bits=0.5) == pytest.approx(15 + 0.5 + 3.0 + 0.5 + 0.25)


@pytest.mark.parametrize(("free_bits", "rate"), [(0.5, 3.5), (2.0, 6.0)])
def test_free_bits_are_those_of_the_total_otherwise(free_bits: float, rate: float) -> None:
    assert loss(free_bits=free_bits, factorises=False) == pytest.approx(15 + rate + 0.25)


def test_below_its_free_bits_a_dimension_has_no_gradient() -> None:
    rates = RATES.clone().requires_grad_()
    value = Elbo(rates.sum(-1), torch.zeros(2), torch.zeros(()), rates)
    training_loss(value, kl_weight=1.0, free_bits=0.5, latent_size=3).backward()
    assert rates.grad is not None
    assert rates.grad.sum(0).tolist() == [0.0, 1.0, 0.0]
