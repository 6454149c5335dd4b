"""A trajectory z_1 … z_T of the noising chain from z_0, and what it says of the density of z_0.

    z_t ~ q(z_t | z_{t-1}) = N(√(1 - β_t) z_{t-1}, β_t I)
    log w = log N(z_T; 0, I) + Σ_{t=1…T} [log p(z_{t-1} | z_t) - log q(z_t | z_{t-1})]

    E[w]     = p(z_0)
    E[log w] = -(L_T + Σ_{t=2…T} L_{t-1} + L_0) <= log p(z_0),   see `trainables.priors.diffusion`

Sohl-Dickstein et al. 2015, arXiv 1503.03585, eq. 9 to 11.
"""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from trainables.beta_schedule import BetaSchedule
from trainables.diffusion.reverse_process import ReverseProcess
from trainables.diffusion.step import ancestral_steps


def trajectory_log_weight(
    process: ReverseProcess,
    schedule: BetaSchedule,
    z: Float[Tensor, "batch latent"],
    generator: torch.Generator,
) -> Float64[Tensor, " batch"]:
    """Log w of one trajectory from each z, in nats.

    Args:
        process: p(z_{t-1} | z_t), with the variances of the bound.
        schedule: the β_t of the chain.
        z: z_0 of each trajectory.
        generator: the only source of noise.
    """
    # In double, as the terms of a thousand steps nearly cancel; the network sees single.
    earlier = z.double()
    log_weight = earlier.new_zeros(len(z))
    for step in reversed(ancestral_steps(schedule)):
        beta = schedule.betas[step.time - 1].item()
        noise = torch.randn(z.shape, generator=generator, device=z.device).double()
        later = math.sqrt(1 - beta) * earlier + math.sqrt(beta) * noise
        mean, deviation = process.transition(later.to(z.dtype), step)
        residual = (earlier - mean) / deviation
        # The constants of the two normal densities cancel.
        log_ratio = (noise.square() - residual.square() + math.log(beta)) / 2 - deviation.log()
        log_weight += log_ratio.sum(-1)
        earlier = later
    return log_weight - (earlier.square() + math.log(2 * math.pi)).sum(-1) / 2
