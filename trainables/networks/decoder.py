"""From z to raw values in the shape of images."""

from jaxtyping import Float
from torch import Tensor, nn


class Decoder(nn.Module):
    """From z to an unbounded value for each output at each pixel."""

    def __init__(self, layers: nn.Module) -> None:
        """Takes the layers in.

        Args:
            layers: from z to raw values.
        """
        super().__init__()
        self.layers = layers

    def forward(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Raw values; the likelihood says what they mean."""
        raw: Tensor = self.layers(z)
        return raw
