"""The variance σ_t² of a reverse transition, and what it costs.

    s_t = β̃_t,   s_1 = β̃_2                      the floor: β̃_1 is 0, but z_0 is continuous
    ρ = log(σ_t² / s_t)
    L_{t-1} = Σ_i price_t(ρ_i) + w_t(ρ_i) (ε_i - ε̂_i)²
    price_t(ρ) = ½ (exp(-ρ) - 1 + ρ)             t >= 2
    price_1(ρ) = ½ (ρ + log(2π s_1))
    w_t(ρ) = ½ exp(-ρ) m_t / s_t,    ‖μ̃ - μ‖² = m_t ‖ε - ε̂‖²,    m_t = β_t² / ((1 - β_t)(1 - ᾱ_t))

    beta        σ_t² = β_t
    posterior   σ_t² = β̃_t,   σ_1² = β_1
    analytic    σ_t² = β̃_t + m_t E‖ε - ε̂‖² / d   where the gradient of E[L_{t-1}] in σ_t² is zero
    learned     log σ_t² = f log β_t + (1 - f) log s_t,   f = sigmoid(output), by dimension

analytic: Bao et al. 2022, arXiv 2201.06503; learned: Nichol & Dhariwal 2021, arXiv 2102.09672,
eq. 15. In every table, entry t is time t.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from trainables.beta_schedule import BetaSchedule

# A draw's part in the running mean: with fifty of them the variance is off by a few percent, which
# costs a hundredth of a nat; with more it would trail the network, as each t is drawn seldom.
KEPT_SHARE = 0.98


class ReverseVariance(nn.Module, ABC):
    """σ_t² by its ρ."""

    log_floor: Float[Tensor, " times"]
    is_later: Float[Tensor, " times"]
    precision: Float[Tensor, " times"]
    offset: Float[Tensor, " times"]

    def __init__(self, schedule: BetaSchedule) -> None:
        """Tables of what does not depend on σ_t²."""
        super().__init__()
        floor = _floor(schedule)
        is_later = torch.ones_like(floor)
        is_later[0] = 0
        _tabulate(self, "log_floor", floor.log())
        _tabulate(self, "is_later", is_later)
        _tabulate(self, "precision", _mean_weights(schedule) / floor)
        _tabulate(self, "offset", (1 - is_later) * (2 * math.pi * floor).log() / 2)

    @abstractmethod
    def log_ratio(
        self, t: Int[Tensor, "*shape"], output: Float[Tensor, "*shape outputs"]
    ) -> Float[Tensor, "*shape #latent"]:
        """ρ, given what the network says beside its prediction."""

    @abstractmethod
    def usual_log_ratio(self) -> Float[Tensor, " times"]:
        """ρ at each t, or that of β_t where it depends on the input."""

    def fixed_price(self) -> Float[Tensor, " times"]:
        """What of the price of a dimension is known beforehand, nats."""
        return self.offset

    def drawn_price(
        self, t: Int[Tensor, "*shape"], log_ratio: Float[Tensor, "*shape #latent"]
    ) -> Float[Tensor, "*shape #latent"]:
        """The rest of it, nats."""
        return torch.zeros_like(log_ratio)

    def weight(
        self, t: Int[Tensor, "*shape"], log_ratio: Float[Tensor, "*shape #latent"]
    ) -> Float[Tensor, "*shape #latent"]:
        """w_t, nats for an error of 1."""
        return self.precision[t][..., None] * torch.exp(-log_ratio) / 2

    def usual_weight(self) -> Float[Tensor, " times"]:
        """w_t at each t, with the usual ρ."""
        return self.precision * torch.exp(-self.usual_log_ratio()) / 2

    def mean_weight(self) -> Float[Tensor, " times"]:
        """m_t at each t."""
        return self.precision * self.log_floor.exp()

    def deviation(
        self, t: Int[Tensor, "*shape"], log_ratio: Float[Tensor, "*shape #latent"]
    ) -> Float[Tensor, "*shape #latent"]:
        """σ_t."""
        return torch.exp((self.log_floor[t][..., None] + log_ratio) / 2)

    def observe(
        self, t: Int[Tensor, " batch"], squared_error: Float[Tensor, "batch latent"]
    ) -> None:
        """Learns from the errors of a training batch, where that is how σ_t² is found."""

    def measure(self, t: Int[Tensor, " some"], mean_squared_error: Float[Tensor, " some"]) -> None:
        """Takes the mean squared errors of ε̂ by dimension at times t, each given once."""


class TabulatedVariance(ReverseVariance):
    """A σ_t² that is the same for every input."""

    def log_ratio(
        self, t: Int[Tensor, "*shape"], output: Float[Tensor, "*shape outputs"]
    ) -> Float[Tensor, "*shape #latent"]:
        """ρ from the table."""
        return self.usual_log_ratio()[t][..., None]

    def fixed_price(self) -> Float[Tensor, " times"]:
        """All of the price, so that none is drawn."""
        return self.offset + _spread_price(self.is_later, self.usual_log_ratio())


class FixedVariance(TabulatedVariance):
    """A σ_t² that the schedule says."""

    table: Float[Tensor, " times"]

    def __init__(self, schedule: BetaSchedule, variances: Float64[Tensor, " time"]) -> None:
        """σ_1² … σ_T² as they are given."""
        super().__init__(schedule)
        _tabulate(self, "table", (variances / _floor(schedule)).log())

    def usual_log_ratio(self) -> Float[Tensor, " times"]:
        """ρ of the variances given."""
        return self.table


class AnalyticVariance(TabulatedVariance):
    """The best σ_t² for the network as it is, from a running mean of its squared errors.

    It begins with the errors of the best network for z_0 ~ N(0, I), ᾱ_t: then σ_t² is β_t.
    """

    mean_squared_error: Float[Tensor, " times"]

    def __init__(self, schedule: BetaSchedule) -> None:
        """Begins at β_t."""
        super().__init__(schedule)
        _tabulate(self, "mean_squared_error", schedule.alphas_bar, persistent=True)

    def usual_log_ratio(self) -> Float[Tensor, " times"]:
        """ρ of the best variances; zero where there is no time."""
        ratio = self.is_later + self.precision * self.mean_squared_error
        return torch.cat([torch.zeros_like(ratio[:1]), ratio[1:].log()])

    @torch.no_grad()
    def observe(
        self, t: Int[Tensor, " batch"], squared_error: Float[Tensor, "batch latent"]
    ) -> None:
        """Moves the mean of each t towards the errors drawn there."""
        # A product, because sums by index come out differently each time on a GPU.
        is_drawn = t[:, None] == torch.arange(len(self.mean_squared_error), device=t.device)
        drawn = is_drawn.to(squared_error)
        count = drawn.sum(0)
        mean = squared_error.mean(-1) @ drawn / count.clamp(min=1)
        self.mean_squared_error.lerp_(mean, 1 - KEPT_SHARE**count)

    def measure(self, t: Int[Tensor, " some"], mean_squared_error: Float[Tensor, " some"]) -> None:
        """The errors themselves, in place of their running means."""
        self.mean_squared_error[t] = mean_squared_error


class LearnedVariance(ReverseVariance):
    """A σ_t² between s_t and β_t, where the network says, for each dimension of each input."""

    width: Float[Tensor, " times"]

    def __init__(self, schedule: BetaSchedule) -> None:
        """Both ends."""
        super().__init__(schedule)
        _tabulate(self, "width", (schedule.betas / _floor(schedule)).log())

    def log_ratio(
        self, t: Int[Tensor, "*shape"], output: Float[Tensor, "*shape outputs"]
    ) -> Float[Tensor, "*shape #latent"]:
        """ρ between 0 and that of β_t."""
        return self.width[t][..., None] * output.sigmoid()

    def usual_log_ratio(self) -> Float[Tensor, " times"]:
        """ρ of β_t."""
        return self.width

    def drawn_price(
        self, t: Int[Tensor, "*shape"], log_ratio: Float[Tensor, "*shape #latent"]
    ) -> Float[Tensor, "*shape #latent"]:
        """All of the price but the constant of t = 1, large and known."""
        is_later = self.is_later[t][..., None].expand_as(log_ratio)
        return _spread_price(is_later, log_ratio)


def variance_cost(kind: str, schedule: BetaSchedule) -> float:
    """What a variance costs a dimension of latents, in nats, however good the network is.

    The bound's excess over the entropy of z_0 ~ N(0, 1), with the best network for it; lower is
    better, and 0 is a bound that is tight. There β_t is the variance of the true transitions, so
    `beta` costs nothing, nor do `analytic` and `learned`, which can find it.

    Args:
        kind: as in `DiffusionPriorConfig.variance`.
        schedule: the chain.
    """
    if kind in ("analytic", "learned"):
        kind = "beta"
    variance = build_reverse_variance(kind, schedule).double()
    errors = torch.cat([schedule.alphas_bar.new_ones(1), schedule.alphas_bar])
    terms = variance.fixed_price() + variance.usual_weight() * errors
    end = -math.log1p(-schedule.end_signal) / 2
    entropy = (1 + math.log(2 * math.pi)) / 2
    return end + terms[1:].sum().item() - entropy


def build_reverse_variance(kind: str, schedule: BetaSchedule) -> ReverseVariance:
    """The variance of a config's kind."""
    match kind:
        case "analytic":
            return AnalyticVariance(schedule)
        case "learned":
            return LearnedVariance(schedule)
        case "posterior":
            later = schedule.posterior_variances[1:]
            return FixedVariance(schedule, torch.cat([schedule.betas[:1], later]))
        case _:
            return FixedVariance(schedule, schedule.betas)


def _mean_weights(schedule: BetaSchedule) -> Float64[Tensor, " time"]:
    betas = schedule.betas
    return betas**2 / ((1 - betas) * (1 - schedule.alphas_bar))


def _spread_price(
    is_later: Float[Tensor, "*shape"], log_ratio: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    return (is_later * torch.expm1(-log_ratio) + log_ratio) / 2


def _floor(schedule: BetaSchedule) -> Float64[Tensor, " time"]:
    # A chain of one step has no β̃_2, and needs no room between its ends.
    later = schedule.posterior_variances[1:]
    return torch.cat([later[:1] if len(later) else schedule.betas, later])


def _tabulate(
    module: nn.Module, name: str, values: Float64[Tensor, " time"], *, persistent: bool = False
) -> None:
    table = torch.cat([values.new_zeros(1), values]).float()
    module.register_buffer(name, table, persistent=persistent)
