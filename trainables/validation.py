"""The bound on the validation part, always with the same noise, so that trials compare."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.collapse import measure_collapse
from trainables.config import TrialConfig
from trainables.level import x_from_levels
from trainables.measurement import Collapse
from trainables.seed import derive_seed
from trainables.vae import VAE, Evaluation

BATCH = 500


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the validation images, in nats per image; see `Measurement`."""

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
    with_collapse: bool = True,
) -> Validation:
    """Evaluates the bound on all images, with noise that is that of every trial."""
    generator = torch.Generator(images.device).manual_seed(derive_seed("validation"))
    model.eval()
    batches = [
        model.evaluate(x_from_levels(batch, config.data, generator), generator)
        for batch in images.split(BATCH)
    ]
    rates = torch.cat([batch.rate.total for batch in batches]).double()
    distortions = torch.cat([batch.distortion for batch in batches]).double()
    noise = torch.cat([batch.rate.standard_error for batch in batches]).double()
    losses = rates + distortions
    return Validation(
        rate=rates.mean().item(),
        distortion=distortions.mean().item(),
        standard_error=(losses.std() / math.sqrt(len(losses))).item(),
        rate_noise=(noise.square().sum().sqrt() / len(noise)).item(),
        rate_parts=_means([batch.rate.parts for batch in batches]),
        collapse=_collapse(batches, config.revision) if with_collapse else None,
    )


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
