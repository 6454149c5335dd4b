"""The priors over z: one concept a file, chosen once, here."""

from torch import nn

from trainables.config import (
    NEWEST_REVISION,
    Departures,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    PriorConfigBase,
    check_departures,
)
from trainables.diffusion.chain import exact_chain, shifted_chain
from trainables.priors.diffusion import DiffusionPrior
from trainables.priors.flow import FlowPrior
from trainables.priors.gaussian import GaussianPrior
from trainables.priors.prior import Prior, RateEstimate, entropy_departure
from trainables.priors.published import PublishedDiffusionPrior, PublishedGaussianPrior

__all__ = ["Prior", "RateEstimate", "build_prior"]


def build_prior(
    config: PriorConfigBase,
    latent_size: int,
    posterior: nn.Module | None = None,
    departures: Departures | None = None,
    revision: int = NEWEST_REVISION,
) -> Prior:
    """The prior that the config describes.

    Args:
        config: its kind and its numbers.
        latent_size: number of dimensions of z.
        posterior: the encoder, for priors that need it.
        departures: where it departs from its bound; what they leave open is off.
        revision: what the fields mean, see `trainables.config.revision`.

    Raises:
        ValueError: a departure does not go with the config.
    """
    departures = departures or Departures()
    check_departures(departures, config)
    match config:
        case GaussianPriorConfig():
            kind = PublishedGaussianPrior if departures.gaussian_kl else GaussianPrior
            return kind(latent_size)
        case FlowPriorConfig():
            return FlowPrior(
                config,
                latent_size,
                _entropy_departure(latent_size, departures),
                is_clamped=bool(departures.flow_clamp),
            )
        case DiffusionPriorConfig():
            return _build_diffusion_prior(config, latent_size, departures, revision)
        case _:
            built: Prior = config.build(latent_size, posterior)
            return built


def _build_diffusion_prior(
    config: DiffusionPriorConfig, latent_size: int, departures: Departures, revision: int
) -> DiffusionPrior:
    kind = PublishedDiffusionPrior if departures.diffusion_weight else DiffusionPrior
    build_chain = shifted_chain if departures.index_shift else exact_chain
    chain = build_chain(config.beta_schedule)
    entropy = _entropy_departure(latent_size, departures)
    return kind(config, latent_size, chain, entropy, revision)


def _entropy_departure(latent_size: int, departures: Departures) -> float:
    return entropy_departure(latent_size) if departures.entropy_constant else 0.0
