"""The priors over z: one concept a file, chosen once, here."""

from torch import nn

from trainables.config import (
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    PriorConfig,
)
from trainables.priors.diffusion import DiffusionPrior
from trainables.priors.flow import FlowPrior
from trainables.priors.gaussian import GaussianPrior
from trainables.priors.prior import Prior, RateEstimate

__all__ = ["Prior", "RateEstimate", "build_prior"]


def build_prior(
    config: PriorConfig, latent_size: int, posterior: nn.Module | None = None
) -> Prior:
    """The prior that the config describes.

    Args:
        config: its kind and its numbers.
        latent_size: number of dimensions of z.
        posterior: the encoder, for priors that need it.
    """
    match config:
        case GaussianPriorConfig():
            return GaussianPrior(latent_size)
        case FlowPriorConfig():
            return FlowPrior(config, latent_size)
        case DiffusionPriorConfig():
            return DiffusionPrior(config, latent_size)
