"""Stairs of strided convolutions, for 8 × 8 to 64 × 64.

Full resolution with `num_channels`, halved down to 4 × 4 while the width doubles. There is no
batch norm, so that every image is on its own.
"""

from itertools import pairwise

from torch import nn

from trainables.config import ImageFormat, PlainNetworkConfig
from trainables.networks.stairs import (
    SMALLEST_SIZE,
    doubled_widths,
    keep_variance,
    latent_width,
    num_halvings,
    seed_image,
)


def plain_features(
    config: PlainNetworkConfig, image: ImageFormat, latent_size: int
) -> tuple[nn.Module, int]:
    """From an image to features, and their number."""
    first = latent_width(latent_size) if config.latent_widths else config.num_channels
    widths = doubled_widths(first, num_halvings(image))
    layers: list[nn.Module] = [nn.Conv2d(image.channels, widths[0], 3, padding=1), nn.ReLU()]
    for wide, deep in pairwise(widths):
        layers += [nn.Conv2d(wide, deep, 4, stride=2, padding=1), nn.ReLU()]
    stairs = nn.Sequential(*layers, nn.Flatten())
    keep_variance(stairs)
    return stairs, widths[-1] * SMALLEST_SIZE**2


def plain_decoder(
    config: PlainNetworkConfig, image: ImageFormat, latent_size: int, num_outputs: int
) -> nn.Module:
    """From z to raw images."""
    widths = doubled_widths(config.num_channels, num_halvings(image))[::-1]
    layers = [*seed_image(latent_size, widths[0]), nn.ReLU()]
    for deep, wide in pairwise(widths):
        layers += [nn.ConvTranspose2d(deep, wide, 4, stride=2, padding=1), nn.ReLU()]
    stairs = nn.Sequential(*layers)
    keep_variance(stairs)
    return nn.Sequential(stairs, nn.Conv2d(widths[-1], num_outputs, 3, padding=1))
