"""The networks of the paper's published code, by widths and activations.

    encoder   4 × 4 convolutions of stride 2, SELU, batch norm in the middle; widths c, 2c, 4c …
              with c = latent_size / 4, so that capacity follows the latent size
    decoder   32 × 32: transposed convolutions 512-256-128, batch norm, no bias
              64 × 64: 512-512-512-256, no batch norm, with bias
              SELU in both

Wehenkel & Louppe 2021, arXiv 2106.15671; SELU: Klambauer et al. 2017, arXiv 1706.02515.
"""

from itertools import pairwise

from torch import nn

from trainables.config import ImageFormat, ReferenceNetworkConfig
from trainables.networks.stairs import (
    SMALLEST_SIZE,
    keep_variance,
    latent_width,
    num_halvings,
)

DECODER_WIDTHS = {32: (512, 256, 128), 64: (512, 512, 512, 256)}
USUAL_LATENT_SIZE = 100  # the middle one of Table 1


def reference_features(
    config: ReferenceNetworkConfig, image: ImageFormat, latent_size: int
) -> tuple[nn.Module, int]:
    """From an image to features, and their number."""
    first = latent_width(latent_size if config.latent_widths else USUAL_LATENT_SIZE)
    widths = [first * 2**i for i in range(num_halvings(image))]
    layers: list[nn.Module] = [nn.Conv2d(image.channels, widths[0], 4, stride=2, padding=1)]
    layers.append(nn.SELU())
    for wide, deep in pairwise(widths):
        convolution = nn.Conv2d(wide, deep, 4, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(deep), nn.SELU()]
    stairs = nn.Sequential(*layers, nn.Flatten())
    keep_variance(stairs, gain=1.0)
    return stairs, widths[-1] * SMALLEST_SIZE**2


def reference_decoder(image: ImageFormat, latent_size: int, num_outputs: int) -> nn.Module:
    """From z to raw images; 4 × 4 comes from a transposed convolution of a single pixel."""
    widths = DECODER_WIDTHS[image.size]
    is_normalised = image.size == 32
    has_bias = not is_normalised
    layers: list[nn.Module] = [nn.Unflatten(-1, (latent_size, 1, 1))]
    # With a single pixel the stride only tells keep_variance that each output sees it once.
    layers.append(nn.ConvTranspose2d(latent_size, widths[0], 4, stride=4, bias=has_bias))
    for deep, wide in pairwise(widths):
        layers += _between(deep, is_normalised=is_normalised)
        layers.append(nn.ConvTranspose2d(deep, wide, 4, stride=2, padding=1, bias=has_bias))
    layers += _between(widths[-1], is_normalised=is_normalised)
    layers.append(
        nn.ConvTranspose2d(widths[-1], num_outputs, 4, stride=2, padding=1, bias=has_bias)
    )
    decoder = nn.Sequential(*layers)
    keep_variance(decoder, gain=1.0)
    return decoder


def _between(channels: int, *, is_normalised: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.SELU()] if is_normalised else [nn.SELU()]
