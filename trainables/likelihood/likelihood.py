"""What every likelihood offers: how probable an image is given z, and its mean image.

mean(z) = tanh(decoder(z))      x and mean in [-1, 1]
"""

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class PixelModel(Protocol):
    """p(x|z) of a batch of z."""

    def log_prob(self, x: Tensor, /) -> Tensor:
        """Log p(x|z) in nats per image; higher is better."""


class Likelihood(nn.Module, ABC):
    """Base of all likelihoods: a decoder, and what its output means."""

    def __init__(self, decoder: nn.Module) -> None:
        """Takes the decoder in.

        Args:
            decoder: from z to unbounded values at each pixel.
        """
        super().__init__()
        self.decoder = decoder

    @abstractmethod
    def forward(self, z: Float[Tensor, "batch latent"]) -> PixelModel:
        """p(x|z)."""

    def mean(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The image in the middle of p(x|z), in [-1, 1]."""
        raw: Tensor = self.decoder(z)
        return raw.tanh()
