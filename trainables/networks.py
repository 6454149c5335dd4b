"""The networks of a VAE: an encoder from images to q(z|x), a decoder from z to images.

Both walk the same stairs: full resolution with `num_channels`, halved down to 4 × 4 while the
width doubles. There is no batch norm, so that every image is on its own.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from trainables.config import ImageFormat, NetworkConfig
from trainables.error import InputError

SMALLEST_SIZE = 4
SIZES = (8, 16, 32, 64)
MAX_CHANNELS = 512
SCALE_FLOOR = 1e-4


class Encoder(nn.Module):
    """From an image to the loc and scale of q(z|x)."""

    def __init__(self, config: NetworkConfig, image: ImageFormat, latent_size: int) -> None:
        """Builds the stairs down, and the head.

        Raises:
            InputError: the image size has no network.
        """
        super().__init__()
        widths = channel_widths(config, image)
        layers: list[nn.Module] = [nn.Conv2d(image.channels, widths[0], 3, padding=1), nn.ReLU()]
        for wide, deep in pairwise(widths):
            layers += [nn.Conv2d(wide, deep, 4, stride=2, padding=1), nn.ReLU()]
        self.stairs = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(widths[-1] * SMALLEST_SIZE**2, 2 * latent_size)
        _keep_variance(self.stairs)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """(loc, scale) of q(z|x); the scale begins near softplus(0) = 0.7."""
        loc, raw_scale = self.head(self.stairs(x)).chunk(2, dim=-1)
        return loc, softplus(raw_scale) + SCALE_FLOOR


class Decoder(nn.Module):
    """From z to the mean image, in [-1, 1]."""

    def __init__(self, config: NetworkConfig, image: ImageFormat, latent_size: int) -> None:
        """Builds the stairs up.

        Raises:
            InputError: the image size has no network.
        """
        super().__init__()
        widths = channel_widths(config, image)[::-1]
        layers: list[nn.Module] = [
            nn.Linear(latent_size, widths[0] * SMALLEST_SIZE**2),
            nn.Unflatten(-1, (widths[0], SMALLEST_SIZE, SMALLEST_SIZE)),
            nn.ReLU(),
        ]
        for deep, wide in pairwise(widths):
            layers += [nn.ConvTranspose2d(deep, wide, 4, stride=2, padding=1), nn.ReLU()]
        self.stairs = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], image.channels, 3, padding=1)
        _keep_variance(self.stairs)

    def forward(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The mean image."""
        x: Tensor = self.head(self.stairs(z)).tanh()
        return x


def channel_widths(config: NetworkConfig, image: ImageFormat) -> list[int]:
    """Channels from full resolution down to 4 × 4, doubled at each halving up to a cap.

    Raises:
        InputError: the image size has no network.
    """
    if image.size not in SIZES:
        raise InputError(
            f"the networks take images of size 8, 16, 32 or 64, got {image.size}: resize the data"
            " set when it is prepared"
        )
    num_halvings = (image.size // SMALLEST_SIZE).bit_length() - 1
    cap = max(MAX_CHANNELS, config.num_channels)
    return [min(config.num_channels * 2**i, cap) for i in range(num_halvings + 1)]


def _keep_variance(stairs: nn.Sequential) -> None:
    # He et al. 2015: without normalisation the default start would shrink the signal at each step.
    for layer in stairs:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
            stride = layer.stride[0] if isinstance(layer, nn.ConvTranspose2d) else 1
            nn.init.normal_(layer.weight, std=(2 * stride**2 / fan_in) ** 0.5)
            nn.init.zeros_(_bias(layer))
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
            nn.init.zeros_(_bias(layer))


def _bias(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> Tensor:
    assert layer.bias is not None
    return layer.bias
