import pytest
import torch
from torch import nn

from tests.trainables.known_diffusion import (
    LATENT,
    VARIANCES,
    assert_close_in_mean,
    build,
    diffusion,
    posterior,
    with_linear_network,
)
from trainables.priors.diffusion import DiffusionPrior


def gradients(prior: DiffusionPrior, loss: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of the rate or the auxiliary loss: in z, and in the denoiser's parameters."""
    torch.manual_seed(1)
    q, z = posterior(200), posterior(200).sample().requires_grad_()
    torch.manual_seed(2)
    value = prior.rate(q, z).sum() if loss == "rate" else prior.auxiliary_loss(z)
    value.backward()
    parameters = dict(prior.named_parameters())
    assert z.grad is not None
    return z.grad, {name: p.grad for name, p in parameters.items() if p.grad is not None}


@pytest.mark.parametrize("variance", VARIANCES)
def test_under_simple_the_rate_trains_the_encoder_alone_and_as_the_bound_does(
    variance: str,
) -> None:
    exact, parameters = gradients(build(diffusion(variance=variance)), "rate")
    simple, none = gradients(build(diffusion(variance=variance, weighting="simple")), "rate")
    torch.testing.assert_close(simple, exact)
    assert parameters
    assert not none


@torch.no_grad()
@pytest.mark.parametrize("times", ["uniform", "stratified"])
@pytest.mark.parametrize("variance", ["beta", "learned"])
def test_the_simple_loss_is_the_mean_error_over_all_times(variance: str, times: str) -> None:
    config = diffusion(weighting="simple", times=times)
    prior = with_linear_network(config, factor=0.7)
    z = torch.randn(1000, LATENT, generator=torch.Generator().manual_seed(1))
    losses = torch.stack([prior.auxiliary_loss(z) for _ in range(300)])
    # In a dimension of z's own second moment, not quite that of N(0, 1).
    alpha, sigma = prior.process.alpha.double()[1:], prior.process.sigma.double()[1:]
    by_time = (1 - 0.7 * sigma**2) ** 2 + (0.7 * sigma * alpha) ** 2 * z.square().mean()
    assert_close_in_mean(losses, LATENT * by_time.mean())


def test_the_simple_loss_leaves_the_mean_to_the_error_and_the_variance_to_the_bound() -> None:
    plain = build(diffusion(weighting="simple"))
    hybrid = build(diffusion(weighting="simple", variance="learned"))
    plain.process.network = Scales()
    hybrid.process.network = Scales(with_variance=True)
    _, of_plain = gradients(plain, "auxiliary")
    _, of_hybrid = gradients(hybrid, "auxiliary")
    torch.testing.assert_close(
        of_hybrid["process.network.of_mean"], of_plain["process.network.of_mean"]
    )
    exact = build(diffusion(variance="learned", times="stratified"))
    exact.process.network = Scales(with_variance=True)
    _, of_exact = gradients(exact, "rate")
    # A mean over 200 images there, a sum here.
    expected = 0.001 * of_exact["process.network.of_variance"] / 200
    torch.testing.assert_close(of_hybrid["process.network.of_variance"], expected)


class Scales(nn.Module):
    """ε̂ = a z_t, and b z_t for the variance."""

    def __init__(self, *, with_variance: bool = False) -> None:
        super().__init__()
        self.of_mean = nn.Parameter(torch.tensor(0.3))
        self.of_variance = nn.Parameter(torch.tensor(0.5)) if with_variance else None

    def forward(self, z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        said = self.of_mean * z_t
        if self.of_variance is None:
            return said
        return torch.cat([said, self.of_variance * z_t], dim=-1)
