"""Σ (x̂ - x)², the distortion of the published code, in the place of a likelihood.

It is -log N(x; x̂, ½ I) less the constant (D/2) log π, so it is not a density and bounds nothing.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from trainables.likelihood.likelihood import Likelihood


@dataclass(frozen=True, slots=True)
class NegativeSquares:
    """What stands for log p(x|z)."""

    mean: Float[Tensor, "batch channels height width"]

    def log_prob(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
        """-Σ (x̂ - x)² of each image; not normalised."""
        return -(self.mean - x).square().flatten(1).sum(1)


class SquaresLikelihood(Likelihood):
    """The sum of squares around the mean image; nothing of it is learned."""

    def forward(self, z: Float[Tensor, "batch latent"]) -> NegativeSquares:
        """What stands for p(x|z): its `log_prob` is not normalised."""
        return NegativeSquares(self.mean(z))
