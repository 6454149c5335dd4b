"""A logistic, summed over the width of each level: a probability, not a density.

    P(k | z) = σ(b) - σ(a)      a, b = (edge - mean(z)) / scale at the lower and the upper edge of
                                level k, 2k/L - 1 and 2(k + 1)/L - 1; a = -∞ at k = 0,
                                b = ∞ at k = L - 1
    log P(k | z) = log σ(b) + log σ(-a) + log(1 - exp(a - b))

The second form is exact and subtracts nothing that could cancel. Kingma et al. 2016,
arXiv 1606.04934, appendix; Salimans et al. 2017, arXiv 1701.05517.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from trainables.config import LogisticLikelihoodConfig
from trainables.level import quantise
from trainables.likelihood.likelihood import Likelihood
from trainables.likelihood.scale import LearnedScale


@dataclass(frozen=True, slots=True)
class DiscretizedLogistic:
    """P(k|z) above; `scale` is the logistic's, its standard deviation is π/√3 times that."""

    mean: Float[Tensor, "batch channels height width"]
    scale: Float[Tensor, ""]
    num_levels: int

    def log_prob(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
        """Log P of the levels that x falls into, in nats per image."""
        return self.log_prob_of_pixels(x).flatten(1).sum(1)

    def log_prob_of_pixels(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Log P of the level of each pixel, in nats."""
        width, last = 2 / self.num_levels, self.num_levels - 1
        level = quantise(x, self.num_levels).to(x.dtype)
        a = (level * width - 1 - self.mean) / self.scale
        b = ((level + 1) * width - 1 - self.mean) / self.scale
        inner = (-torch.expm1(-width / self.scale)).log()
        below_b = torch.where(level == last, 0.0, logsigmoid(b))
        above_a = torch.where(level == 0, 0.0, logsigmoid(-a))
        return below_b + above_a + torch.where((level > 0) & (level < last), inner, 0.0)


class LogisticLikelihood(Likelihood):
    """A discretised logistic around the mean image, with one learned scale."""

    def __init__(
        self, config: LogisticLikelihoodConfig, decoder: nn.Module, num_levels: int
    ) -> None:
        """Takes the decoder in, of as many outputs as the image has channels."""
        super().__init__(decoder)
        self.learned_scale = LearnedScale(config.scale_floor)
        self.num_levels = num_levels

    @property
    def scale(self) -> Float[Tensor, ""]:
        """Scale of the logistic at every pixel, on the scale of x."""
        scale: Tensor = self.learned_scale()
        return scale

    def forward(self, z: Float[Tensor, "batch latent"]) -> DiscretizedLogistic:
        """P(k|z): its `log_prob` takes x, with or without dequantisation."""
        return DiscretizedLogistic(self.mean(z), self.scale, self.num_levels)
