"""The likelihood p(x|z): what the decoder's output means as a density over images.

    p(x | z) = N(x; mean(z), scale² I)      x in [-1, 1], one scale for all pixels
    scale = floor + exp(GAIN · parameter)   where it is learned

Rybkin et al. 2021, arXiv 2006.13202, show what one shared, learned scale does for a VAE.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from trainables.config import LikelihoodConfig

INITIAL_SCALE = 0.5
GAIN = 10.0


class GaussianLikelihood(nn.Module):
    """A Gaussian of one scale around the decoder's output."""

    floor: Float[Tensor, ""]
    fixed_scale: Float[Tensor, ""]

    def __init__(self, config: LikelihoodConfig, decoder: nn.Module) -> None:
        """Takes the decoder in; the scale is learned or fixed, as the config says.

        Args:
            config: the scale and, where it is learned, its floor.
            decoder: from z to the mean image in [-1, 1].
        """
        super().__init__()
        self.decoder = decoder
        self.is_learned = config.scale == "learned"
        if config.scale == "learned":
            above_floor = max(INITIAL_SCALE - config.scale_floor, INITIAL_SCALE / 10)
            # Adam moves every number by its learning rate, and this one has a long way to go:
            # the gain lets it arrive in hundreds of steps instead of thousands.
            self.log_excess = nn.Parameter(torch.tensor(math.log(above_floor) / GAIN))
            self.register_buffer("floor", torch.tensor(config.scale_floor), persistent=False)
        else:
            self.register_buffer("fixed_scale", torch.tensor(config.scale), persistent=False)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """Standard deviation of every pixel around the mean, on the scale of x."""
        if self.is_learned:
            return self.floor + torch.exp(GAIN * self.log_excess)
        return self.fixed_scale

    def mean(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The decoder's image, in [-1, 1]."""
        x: Tensor = self.decoder(z)
        return x

    def forward(self, z: Float[Tensor, "batch latent"]) -> Independent[Normal]:
        """p(x|z): its `log_prob` is in nats per image."""
        pixels = Normal(self.mean(z), self.scale, validate_args=False)
        return Independent(pixels, 3, validate_args=False)
