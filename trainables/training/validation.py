"""The bound on a held-out part of the images.

By default its noise is that of every trial, so that trials compare: x and z have the same whatever
the prior draws, as each batch has a generator for each purpose. (Under revision 1 one generator
runs through all of them, so that from the second batch on a prior's draws move those of x and z.)
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.config import TrialConfig
from trainables.level import x_from_levels
from trainables.measurement import Collapse
from trainables.seed import derive_seed
from trainables.training.collapse import measure_collapse
from trainables.vae import VAE, Evaluation

BATCH = 500


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the images, in nats per image; see `Measurement`."""

    rate: float
    distortion: float
    standard_error: float
    rate_noise: float
    rate_parts: dict[str, float]
    collapse: Collapse | None


@torch.no_grad()
def validate(
    model: VAE,
    images: UInt8[Tensor, "num channels height width"],
    config: TrialConfig,
    *,
    noise: Sequence[object] = ("validation",),
    with_collapse: bool = True,
) -> Validation:
    """Evaluates the bound on all images.

    Args:
        model: the VAE.
        images: in levels.
        config: of the trial.
        noise: the parts of the random streams; by default those of every trial.
        with_collapse: whether to measure how much of the latent space is in use, too.
    """
    model.eval()
    batches = [
        model.evaluate(x_from_levels(batch, config.data, of_x), of_z, of_prior)
        for batch, (of_x, of_z, of_prior) in zip(
            images.split(BATCH), _generators(config, images.device, noise), strict=False
        )
    ]
    rates = torch.cat([batch.rate.total for batch in batches]).double()
    distortions = torch.cat([batch.distortion for batch in batches]).double()
    prior_errors = torch.cat([batch.rate.standard_error for batch in batches]).double()
    losses = rates + distortions
    return Validation(
        rate=rates.mean().item(),
        distortion=distortions.mean().item(),
        standard_error=(losses.std() / math.sqrt(len(losses))).item(),
        rate_noise=(prior_errors.square().sum().sqrt() / len(prior_errors)).item(),
        rate_parts=_means([batch.rate.parts for batch in batches]),
        collapse=_collapse(batches, config.revision) if with_collapse else None,
    )


def _generators(
    config: TrialConfig, device: torch.device, noise: Sequence[object]
) -> Iterator[tuple[torch.Generator, ...]]:
    """Of each batch the generators for dequantisation, z, and what the prior draws."""

    def seeded(*parts: object) -> torch.Generator:
        return torch.Generator(device).manual_seed(derive_seed(*parts))

    if config.revision == 1:
        return itertools.repeat((seeded(*noise),) * 3)
    purposes = ("x", "z", "prior")
    return (tuple(seeded(*noise, batch, p) for p in purposes) for batch in itertools.count())


def _means(parts: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    return {
        name: torch.cat([part[name] for part in parts]).double().mean().item() for name in parts[0]
    }


def _collapse(batches: Sequence[Evaluation], revision: int) -> Collapse:
    loc = torch.cat([batch.posterior.base_dist.loc for batch in batches])
    scale = torch.cat([batch.posterior.base_dist.scale for batch in batches])
    by_dimension = [b.rate_by_dimension for b in batches if b.rate_by_dimension is not None]
    return measure_collapse(
        Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False),
        torch.cat([batch.z for batch in batches]),
        torch.cat([batch.rate.total for batch in batches]),
        torch.cat(by_dimension) if by_dimension else None,
        revision,
    )
