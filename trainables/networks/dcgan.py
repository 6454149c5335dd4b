"""DCGAN's stairs, for 32 × 32 and 64 × 64, the same at every latent size.

Strided 4 × 4 convolutions without pooling; LeakyReLU on the way down, ReLU on the way up; batch
norm but next to the image. Radford et al. 2016, arXiv 1511.06434.
"""

from itertools import pairwise

from torch import nn

from trainables.config import DcganNetworkConfig, ImageFormat
from trainables.networks.stairs import SMALLEST_SIZE, doubled_widths, num_halvings

SLOPE = 0.2
DEVIATION = 0.02


def dcgan_features(config: DcganNetworkConfig, image: ImageFormat) -> tuple[nn.Module, int]:
    """From an image to features, and their number."""
    widths = _widths(config, image)
    layers: list[nn.Module] = [nn.Conv2d(image.channels, widths[0], 4, stride=2, padding=1)]
    layers.append(nn.LeakyReLU(SLOPE))
    for wide, deep in pairwise(widths):
        convolution = nn.Conv2d(wide, deep, 4, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(deep), nn.LeakyReLU(SLOPE)]
    stairs = nn.Sequential(*layers, nn.Flatten())
    _begin_small(stairs)
    return stairs, widths[-1] * SMALLEST_SIZE**2


def dcgan_decoder(
    config: DcganNetworkConfig, image: ImageFormat, latent_size: int, num_outputs: int
) -> nn.Module:
    """From z to raw images."""
    widths = _widths(config, image)[::-1]
    first = nn.ConvTranspose2d(latent_size, widths[0], SMALLEST_SIZE, bias=False)
    layers: list[nn.Module] = [nn.Unflatten(-1, (latent_size, 1, 1)), first]
    layers += [nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for deep, wide in pairwise(widths):
        convolution = nn.ConvTranspose2d(deep, wide, 4, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(wide), nn.ReLU()]
    layers.append(nn.ConvTranspose2d(widths[-1], num_outputs, 4, stride=2, padding=1))
    decoder = nn.Sequential(*layers)
    _begin_small(decoder)
    return decoder


def _widths(config: DcganNetworkConfig, image: ImageFormat) -> list[int]:
    """Channels from half the resolution down to 4 × 4."""
    return doubled_widths(config.num_channels, num_halvings(image) - 1)


def _begin_small(stairs: nn.Module) -> None:
    for layer in stairs.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=DEVIATION)
