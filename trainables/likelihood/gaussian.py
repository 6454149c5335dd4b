"""A Gaussian of one scale.

p(x | z) = N(x; mean(z), scale² I)
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from trainables.config import GaussianLikelihoodConfig
from trainables.likelihood.likelihood import Likelihood
from trainables.likelihood.scale import LearnedScale


class GaussianLikelihood(Likelihood):
    """A Gaussian around the mean image; its scale is learned, or fixed."""

    fixed_scale: Float[Tensor, ""]

    def __init__(self, config: GaussianLikelihoodConfig, decoder: nn.Module) -> None:
        """Takes the decoder in, of as many outputs as the image has channels."""
        super().__init__(decoder)
        if config.scale == "learned":
            self.learned_scale = LearnedScale(config.scale_floor)
        else:
            self.register_buffer("fixed_scale", torch.tensor(config.scale), persistent=False)
        self.is_learned = config.scale == "learned"

    @property
    def scale(self) -> Float[Tensor, ""]:
        """Standard deviation of every pixel around the mean, on the scale of x."""
        scale: Tensor = self.learned_scale() if self.is_learned else self.fixed_scale
        return scale

    def forward(self, z: Float[Tensor, "batch latent"]) -> Independent[Normal]:
        """p(x|z): its `log_prob` is a log density, in nats per image."""
        pixels = Normal(self.mean(z), self.scale, validate_args=False)
        return Independent(pixels, 3, validate_args=False)
