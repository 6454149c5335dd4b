"""A VAE whose decoder is linear, so that its evidence and its posterior are known."""

import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal

from trainables.likelihood import Likelihood


class LinearLikelihood(Likelihood):
    """x = W z + noise, images of 3 × 2 × 2 values; the evidence is that under N(0, variance I)."""

    def __init__(self, weight: torch.Tensor, scale: float) -> None:
        super().__init__(nn.Identity())
        self.weight, self.scale = weight, scale

    def mean(self, z: torch.Tensor) -> torch.Tensor:
        return (z @ self.weight.T).reshape(-1, 3, 2, 2)

    def forward(self, z: torch.Tensor) -> Independent:
        return Independent(Normal(self.mean(z), self.scale), 3)

    def evidence(self, x: torch.Tensor, variance: float = 1.0) -> torch.Tensor:
        weight = self.weight.double()
        covariance = variance * weight @ weight.T + self.scale**2 * torch.eye(12).double()
        marginal = MultivariateNormal(torch.zeros(12).double(), covariance)
        return marginal.log_prob(x.flatten(1).double())


class LinearEncoder(nn.Module):
    """The true posterior, as far as it is diagonal, with its scale stretched."""

    def __init__(
        self, likelihood: LinearLikelihood, stretch: float = 1.0, variance: float = 1.0
    ) -> None:
        super().__init__()
        weight, scale = likelihood.weight, likelihood.scale
        prior_precision = torch.eye(weight.shape[1]) / variance
        self.covariance = (prior_precision + weight.T @ weight / scale**2).inverse()
        self.weight = self.covariance @ weight.T / scale**2
        self.stretch = stretch

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loc = x.flatten(1) @ self.weight.T
        return loc, self.covariance.diagonal().sqrt().expand_as(loc) * self.stretch
