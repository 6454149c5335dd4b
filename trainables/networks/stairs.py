"""What backbones share: the way from full resolution down to 4 × 4, and how weights begin."""

import math

from torch import nn

from trainables.config import ImageFormat

SMALLEST_SIZE = 4
MAX_CHANNELS = 512


def num_halvings(image: ImageFormat) -> int:
    """How often an image is halved until it is 4 × 4."""
    return (image.size // SMALLEST_SIZE).bit_length() - 1


def doubled_widths(first: int, num_doublings: int) -> list[int]:
    """Channels from the image inwards, doubled at each halving up to a cap."""
    cap = max(MAX_CHANNELS, first)
    return [min(first * 2**i, cap) for i in range(num_doublings + 1)]


def latent_width(latent_size: int) -> int:
    """The encoder's first width where it follows the latent size, a quarter of it."""
    return max(1, latent_size // 4)


def seed_image(latent_size: int, channels: int) -> list[nn.Module]:
    """From z to a first image of 4 × 4."""
    shape = (channels, SMALLEST_SIZE, SMALLEST_SIZE)
    return [nn.Linear(latent_size, math.prod(shape)), nn.Unflatten(-1, shape)]


def keep_variance(stairs: nn.Module, gain: float = 2.0) -> None:
    """Lets weights begin so that signals neither shrink nor grow; biases begin at zero.

    Args:
        stairs: the layers.
        gain: of the nonlinearity: 2 for ReLU (He et al. 2015), 1 for SELU (Klambauer et al. 2017).
    """
    for layer in stairs.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
            # Each pixel of a transposed convolution's output sees only a part of its kernel.
            seen = layer.stride[0] ** 2 if isinstance(layer, nn.ConvTranspose2d) else 1
            nn.init.normal_(layer.weight, std=(gain * seen / fan_in) ** 0.5)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=(gain / layer.in_features) ** 0.5)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
