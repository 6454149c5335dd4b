"""The noise schedule of a diffusion: how fast z_0 turns into noise.

    q(z_t | z_{t-1}) = N(√(1 - β_t) z_{t-1}, β_t I)            t = 1 … T
    ᾱ_t = Π_{s≤t} (1 - β_s),   ᾱ_0 = 1
    q(z_t | z_0) = N(√ᾱ_t z_0, (1 - ᾱ_t) I)                    the marginal
    q(z_{t-1} | z_t, z_0) = N(√ᾱ_{t-1} β_t / (1 - ᾱ_t) z_0
                              + √(1 - β_t) (1 - ᾱ_{t-1}) / (1 - ᾱ_t) z_t, β̃_t I)
    β̃_t = (1 - ᾱ_{t-1}) / (1 - ᾱ_t) β_t                        the posterior

Ho et al. 2020, arXiv 2006.11239, eq. 2 to 7; cosine: Nichol & Dhariwal 2021, arXiv 2102.09672,
eq. 17. In float64, since 1 - ᾱ_1 is 1e-4; index t - 1 of a tensor is time t.
"""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from trainables.config import BetaScheduleConfig


@dataclass(frozen=True, slots=True, eq=False)
class BetaSchedule:
    """The variances β_1 … β_T and what follows from them.

    Attributes:
        betas: β_t, the variance added at step t, between 0 and 1.
        alphas_bar: ᾱ_t, the share of z_0's variance that is left at time t; falls towards 0.
    """

    betas: Float64[Tensor, " time"]
    alphas_bar: Float64[Tensor, " time"] = field(init=False)

    def __post_init__(self) -> None:
        assert torch.all((self.betas > 0) & (self.betas < 1)), "betas lie between 0 and 1"
        object.__setattr__(self, "alphas_bar", (1 - self.betas).cumprod(0))

    @property
    def num_steps(self) -> int:
        """T, the length of the chain."""
        return len(self.betas)

    def marginal(
        self, t: Int[Tensor, "*shape"]
    ) -> tuple[Float64[Tensor, "*shape"], Float64[Tensor, "*shape"]]:
        """(alpha_t, sigma_t) of q(z_t | z_0) = N(alpha_t z_0, sigma_t² I), for t in 1 … T."""
        assert torch.all((t >= 1) & (t <= self.num_steps)), "times run from 1 to num_steps"
        alpha_bar = self.alphas_bar[t - 1]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    @property
    def posterior_variances(self) -> Float64[Tensor, " time"]:
        """β̃_t, the variance of q(z_{t-1} | z_t, z_0); zero at t = 1, where z_0 is known."""
        return (1 - self._previous_alphas_bar) / (1 - self.alphas_bar) * self.betas

    @property
    def posterior_coefficients(
        self,
    ) -> tuple[Float64[Tensor, " time"], Float64[Tensor, " time"]]:
        """The factors of z_0 and of z_t in the mean of q(z_{t-1} | z_t, z_0)."""
        of_z_0 = self._previous_alphas_bar.sqrt() * self.betas / (1 - self.alphas_bar)
        of_z_t = (1 - self.betas).sqrt() * (1 - self._previous_alphas_bar) / (1 - self.alphas_bar)
        return of_z_0, of_z_t

    @property
    def _previous_alphas_bar(self) -> Float64[Tensor, " time"]:
        return torch.cat([self.alphas_bar.new_ones(1), self.alphas_bar[:-1]])


def build_beta_schedule(config: BetaScheduleConfig) -> BetaSchedule:
    """The schedule that the config describes."""
    match config.kind:
        case "linear":
            return BetaSchedule(_linear_betas(config.num_steps))
        case "cosine":
            return BetaSchedule(_cosine_betas(config.num_steps))


def _linear_betas(num_steps: int) -> Float64[Tensor, " time"]:
    # Rescaled, because 1e-4 to 0.02 is made for T = 1000: ᾱ_T would be 0.36 at T = 100.
    rescale = 1000 / num_steps
    return torch.linspace(1e-4, 0.02, num_steps, dtype=torch.float64) * rescale


def _cosine_betas(num_steps: int) -> Float64[Tensor, " time"]:
    offset = 0.008
    share = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
    alphas_bar = torch.cos((share + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - alphas_bar[1:] / alphas_bar[:-1]).clamp(max=0.999)
