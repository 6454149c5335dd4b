"""The noise schedule of a diffusion: how fast z_0 turns into noise.

    q(z_t | z_{t-1}) = N(√(1 - β_t) z_{t-1}, β_t I)            t = 1 … T
    ᾱ_t = Π_{s≤t} (1 - β_s),   ᾱ_0 = 1
    q(z_t | z_0) = N(√ᾱ_t z_0, (1 - ᾱ_t) I)                    the marginal
    q(z_{t-1} | z_t, z_0) = N(√ᾱ_{t-1} β_t / (1 - ᾱ_t) z_0
                              + √(1 - β_t) (1 - ᾱ_{t-1}) / (1 - ᾱ_t) z_t, β̃_t I)
    β̃_t = (1 - ᾱ_{t-1}) / (1 - ᾱ_t) β_t                        the posterior

    linear       β_t = 1e-4 + u_t (0.02 - 1e-4)                 u_t = (t - 1) / (T - 1)
    quadratic    √β_t = √1e-4 + u_t (√0.02 - √1e-4)
    sigmoid      β_t = 1e-4 + (0.02 - 1e-4) / (1 + exp(6 - 12 u_t))
    cosine       ᾱ_t = f(t) / f(0),   f(t) = cos²((t / T + 0.008) / 1.008 π / 2),   β_t <= 0.999

Ho et al. 2020, arXiv 2006.11239, eq. 2 to 7; cosine: Nichol & Dhariwal 2021, arXiv 2102.09672,
eq. 17. In float64, since 1 - ᾱ_1 is 1e-4; index t - 1 of a tensor is time t.
"""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from trainables.config import BetaScheduleConfig

FIRST_BETA, LAST_BETA = 1e-4, 0.02
LARGEST_END_SIGNAL = 1e-2


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

    @property
    def end_signal(self) -> float:
        """ᾱ_T, the share of z_0's variance that is left at the end of the chain."""
        return self.alphas_bar[-1].item()

    @property
    def ends_in_noise(self) -> bool:
        """Whether sampling may begin from N(0, I) at little cost.

        A latent dimension of unit variance pays L_T = -½ log(1 - ᾱ_T) for what is left of it at
        the end: below ᾱ_T = 0.01 that is hardly 0.005 nats. The bound counts L_T either way.
        """
        return self.end_signal < LARGEST_END_SIGNAL

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


def build_beta_schedule(config: BetaScheduleConfig, num_betas: int | None = None) -> BetaSchedule:
    """The schedule that the config describes.

    Args:
        config: its kind, its T and whether the ends made for T = 1000 are rescaled by 1000/T.
        num_betas: how many values to place between the ends; by default T.
    """
    betas = _BETAS[config.kind](num_betas or config.num_steps)
    is_rescaled = config.rescale and config.kind != "cosine"
    return BetaSchedule(betas * 1000 / config.num_steps if is_rescaled else betas)


def _linear_betas(num_betas: int) -> Float64[Tensor, " time"]:
    return torch.linspace(FIRST_BETA, LAST_BETA, num_betas, dtype=torch.float64)


def _quadratic_betas(num_betas: int) -> Float64[Tensor, " time"]:
    ends = math.sqrt(FIRST_BETA), math.sqrt(LAST_BETA)
    return torch.linspace(*ends, num_betas, dtype=torch.float64) ** 2


def _sigmoid_betas(num_betas: int) -> Float64[Tensor, " time"]:
    share = torch.linspace(-6, 6, num_betas, dtype=torch.float64).sigmoid()
    return FIRST_BETA + (LAST_BETA - FIRST_BETA) * share


def _cosine_betas(num_betas: int) -> Float64[Tensor, " time"]:
    offset = 0.008
    share = torch.arange(num_betas + 1, dtype=torch.float64) / num_betas
    alphas_bar = torch.cos((share + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - alphas_bar[1:] / alphas_bar[:-1]).clamp(max=0.999)


_BETAS = {
    "linear": _linear_betas,
    "quadratic": _quadratic_betas,
    "sigmoid": _sigmoid_betas,
    "cosine": _cosine_betas,
}
