"""An importance-weighted estimate of the evidence log p(x), with what tells how good it is.

    z_k ~ q(z|x),   w_k = p(x|z_k) p̂(z_k) / q(z_k|x),   k = 1 … K
    estimate            log 1/K Σ_k w_k         rises with K towards log p(x)
    ELBO                1/K Σ_k log w_k         of the same draws
    looseness           estimate - ELBO         never below 0
    effective samples   (Σ_k w_k)² / Σ_k w_k²   from 1 to K

p̂(z) is p(z), or an unbiased estimate of it, see `Prior.log_weight`; for a diffusion the weight is
then one over the chain and the posterior together.

Burda et al. 2016, arXiv 1509.00519.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor
from torch.distributions import Normal

from trainables.config import TrialConfig
from trainables.convergence import is_converged
from trainables.level import x_from_levels
from trainables.seed import derive_seed
from trainables.vae import VAE

BATCH = 500  # images in the networks at a time
DRAWS = 2000  # latents in the prior at a time


@dataclass(frozen=True, slots=True)
class Evidence:
    """Means over images, in nats per image.

    Attributes:
        estimate: of log p(x), in expectation never above it; higher is better.
        standard_error: of the estimate over images; None for a single one.
        at_a_tenth: the estimate with K / 10 samples, as the mean over the ten groups.
        effective_samples: the median over images, from 1 to K.
        elbo: the bound on the same images; higher is better.
        looseness: estimate - elbo: how much of the bound's gap is the bound's; lower is tighter.
        looseness_error: standard error of the looseness over images; None for a single one.
        num_samples: K.
        num_images: how many images.
    """

    estimate: float
    standard_error: float | None
    at_a_tenth: float
    effective_samples: float
    elbo: float
    looseness: float
    looseness_error: float | None
    num_samples: int
    num_images: int

    @property
    def is_converged(self) -> bool:
        """Whether more samples would hardly change the estimate."""
        return is_converged(self.estimate, self.at_a_tenth, self.effective_samples)


@torch.no_grad()
def estimate_evidence(
    model: VAE,
    images: UInt8[Tensor, "num channels height width"],
    config: TrialConfig,
    noise: Sequence[object],
) -> Evidence | None:
    """The evidence of the first images, as many as the config says.

    Args:
        model: the VAE.
        images: in levels.
        config: of the trial.
        noise: the parts of the random streams.

    Returns:
        None where there is nothing to estimate: the trial has no bound, its config asks for no
        images, or its prior offers neither `log_prob` nor `log_weight`.
    """
    wanted = config.evidence
    if not (config.has_bound and wanted.num_images):
        return None
    model.eval()
    generator = _generator(images.device, *noise, "x")
    batches = images[: wanted.num_images].split(BATCH)
    x = torch.cat([x_from_levels(batch, config.data, generator) for batch in batches])
    log_weights = importance_log_weights(model, x, wanted.num_samples, noise)
    return None if log_weights is None else evidence_from(log_weights)


def evidence_from(log_weights: Float64[Tensor, "images samples"]) -> Evidence:
    """What log w of a multiple of ten samples for each image come to."""
    num_images, num_samples = log_weights.shape
    estimates = log_weights.logsumexp(1) - math.log(num_samples)
    tenths = log_weights.unflatten(1, (10, -1)).logsumexp(2) - math.log(num_samples // 10)
    effective = (2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)).exp()
    elbos = log_weights.mean(1)
    return Evidence(
        estimate=estimates.mean().item(),
        standard_error=_standard_error(estimates),
        at_a_tenth=tenths.mean().item(),
        effective_samples=effective.quantile(0.5).item(),
        elbo=elbos.mean().item(),
        looseness=(estimates - elbos).mean().item(),
        looseness_error=_standard_error(estimates - elbos),
        num_samples=num_samples,
        num_images=num_images,
    )


@torch.no_grad()
def importance_log_weights(
    model: VAE,
    x: Float[Tensor, "images channels height width"],
    num_samples: int,
    noise: Sequence[object],
) -> Float64[Tensor, "images samples"] | None:
    """Log w of each sample of each image, in nats; None where the prior offers no weight.

    Args:
        model: the VAE.
        x: the images, in [-1, 1].
        num_samples: K.
        noise: the parts of the random streams.
    """
    posteriors = [model.posterior(batch).base_dist for batch in x.split(BATCH)]
    loc, scale = (torch.cat([getattr(q, name) for q in posteriors]) for name in ("loc", "scale"))
    images = torch.arange(len(x), device=x.device).repeat_interleave(num_samples)
    log_weights = []
    for part, image in enumerate(images.split(DRAWS)):
        generator = _generator(x.device, *noise, "z", part)
        q = Normal(loc[image], scale[image], validate_args=False)
        z = q.loc + q.scale * torch.randn(q.loc.shape, generator=generator, device=x.device)
        log_p_z = model.prior.log_weight(z, generator)
        if log_p_z is None:
            return None
        log_p_x = _log_likelihood(model, x, image, z).double()
        log_weights.append(log_p_x + log_p_z - q.log_prob(z).sum(-1))
    return torch.cat(log_weights).reshape(len(x), num_samples)


def _log_likelihood(
    model: VAE,
    x: Float[Tensor, "images channels height width"],
    image: Int64[Tensor, " draws"],
    z: Float[Tensor, "draws latent"],
) -> Float[Tensor, " draws"]:
    """Log p(x|z) of the image that each z was drawn for, nats per image."""
    batches = zip(image.split(BATCH), z.split(BATCH), strict=True)
    log_p_x = [model.likelihood(each).log_prob(x[of]) for of, each in batches]
    return torch.cat(log_p_x)


def _generator(device: torch.device, *parts: object) -> torch.Generator:
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def _standard_error(values: Float64[Tensor, " images"]) -> float | None:
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else None
