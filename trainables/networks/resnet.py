"""Residual blocks with group norm, for 32 × 32 and 64 × 64, the same at every latent size.

    block(h) = h + conv(silu(norm(conv(silu(norm(h))))))

He et al. 2016, arXiv 1603.05027 (activation before convolution); Wu & He 2018, arXiv 1803.08494.
Group norm looks at one image alone.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from trainables.config import ImageFormat, ResnetNetworkConfig
from trainables.networks.stairs import SMALLEST_SIZE, doubled_widths, num_halvings, seed_image

MAX_GROUPS = 8


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        """A block that keeps the number of channels."""
        super().__init__()
        self.change = nn.Sequential(
            _norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
            _norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
        )  # fmt: skip

    def forward(
        self, h: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The input and its change."""
        changed: Tensor = h + self.change(h)
        return changed


def resnet_features(config: ResnetNetworkConfig, image: ImageFormat) -> tuple[nn.Module, int]:
    """From an image to features, and their number."""
    widths = doubled_widths(config.num_channels, num_halvings(image))
    layers: list[nn.Module] = [nn.Conv2d(image.channels, widths[0], 3, padding=1)]
    for wide, deep in pairwise(widths):
        layers += [*_blocks(config, wide), nn.Conv2d(wide, deep, 4, stride=2, padding=1)]
    layers += [*_blocks(config, widths[-1]), _norm(widths[-1]), nn.SiLU(), nn.Flatten()]
    return nn.Sequential(*layers), widths[-1] * SMALLEST_SIZE**2


def resnet_decoder(
    config: ResnetNetworkConfig, image: ImageFormat, latent_size: int, num_outputs: int
) -> nn.Module:
    """From z to raw images."""
    widths = doubled_widths(config.num_channels, num_halvings(image))[::-1]
    layers = [*seed_image(latent_size, widths[0]), *_blocks(config, widths[0])]
    for deep, wide in pairwise(widths):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(deep, wide, 3, padding=1)]
        layers += _blocks(config, wide)
    head = nn.Conv2d(widths[-1], num_outputs, 3, padding=1)
    return nn.Sequential(*layers, _norm(widths[-1]), nn.SiLU(), head)


def _blocks(config: ResnetNetworkConfig, channels: int) -> list[nn.Module]:
    return [ResidualBlock(channels) for _ in range(config.num_blocks)]


def _norm(channels: int) -> nn.GroupNorm:
    num_groups = next(groups for groups in range(MAX_GROUPS, 0, -1) if channels % groups == 0)
    return nn.GroupNorm(num_groups, channels)
