"""A Gaussian with a scale for each pixel of each image.

    p(x | z) = N(x; mean(z), diag(scale(z)²))
    tanh⁻¹ mean(z), raw(z) = the two halves of the decoder's outputs
    scale(z) = floor + softplus(raw(z) + SHIFT)         floor + INITIAL_SCALE where raw is 0

The softplus keeps the scale from growing faster than the decoder's output; an exponential would
turn one bad step into infinity.
"""

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn.functional import softplus

from trainables.config import DiagonalLikelihoodConfig
from trainables.likelihood.likelihood import Likelihood
from trainables.likelihood.scale import INITIAL_SCALE

SHIFT = math.log(math.expm1(INITIAL_SCALE))


class DiagonalLikelihood(Likelihood):
    """A Gaussian whose mean and scale are both the decoder's."""

    def __init__(self, config: DiagonalLikelihoodConfig, decoder: nn.Module) -> None:
        """Takes the decoder in, of twice as many outputs as the image has channels."""
        super().__init__(decoder)
        self.floor = config.scale_floor

    def mean(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The image in the middle of p(x|z), in [-1, 1]."""
        loc: Tensor = self(z).base_dist.loc
        return loc

    def forward(self, z: Float[Tensor, "batch latent"]) -> Independent[Normal]:
        """p(x|z): its `log_prob` is a log density, in nats per image."""
        raw_mean, raw_scale = self.decoder(z).chunk(2, dim=1)
        scale = self.floor + softplus(raw_scale + SHIFT)
        pixels = Normal(raw_mean.tanh(), scale, validate_args=False)
        return Independent(pixels, 3, validate_args=False)
