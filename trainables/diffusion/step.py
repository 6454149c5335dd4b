"""The steps of a sampler, from each time t to an earlier s: z_s = a z_t + b ε̂ + √v noise.

    ancestral   s = t - 1,   v = σ_t², that of the reverse process
                a = 1 / √(1 - β_t),     b = -a β_t / √(1 - ᾱ_t)
    ddim        v = η² (1 - ᾱ_s) / (1 - ᾱ_t) (1 - ᾱ_t / ᾱ_s)    η² times that of q(z_s | z_t, z_0)
                a = √(ᾱ_s / ᾱ_t),       b = √(1 - ᾱ_s - v) - a √(1 - ᾱ_t)

Ho et al. 2020, arXiv 2006.11239, alg. 2; Song et al. 2021, arXiv 2010.02502, eq. 12 and 16.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from trainables.beta_schedule import BetaSchedule
from trainables.config import SamplerConfig


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sampler.

    Attributes:
        time: t, where it begins.
        of_z: a, the factor of z_t.
        of_noise: b, the factor of ε̂.
        deviation: the noise's standard deviation; that of the reverse process if none.
    """

    time: int
    of_z: float
    of_noise: float
    deviation: float | None


def build_steps(config: SamplerConfig, schedule: BetaSchedule) -> list[Step]:
    """The steps that the config describes, from T down to 0."""
    if config.kind == "ddim":
        return ddim_steps(schedule, config.num_steps or schedule.num_steps, config.eta)
    return ancestral_steps(schedule)


def ancestral_steps(schedule: BetaSchedule) -> list[Step]:
    """All steps of the reverse process itself."""
    steps = []
    for t in range(schedule.num_steps, 0, -1):
        beta, alpha_bar = schedule.betas[t - 1].item(), schedule.alphas_bar[t - 1].item()
        of_z = 1 / math.sqrt(1 - beta)
        steps.append(Step(t, of_z, -of_z * beta / math.sqrt(1 - alpha_bar), None))
    return steps


def ddim_steps(schedule: BetaSchedule, num_steps: int, eta: float) -> list[Step]:
    """`num_steps` steps of about equal length, the first from T.

    Args:
        schedule: the chain.
        num_steps: at most as many as the chain has.
        eta: share of the posterior's standard deviation, from 0 to 1.
    """
    times = [round(schedule.num_steps * i / num_steps) for i in range(num_steps, -1, -1)]
    alphas_bar = [1.0, *schedule.alphas_bar.tolist()]
    return [_ddim_step(t, alphas_bar[t], alphas_bar[s], eta) for t, s in pairwise(times)]


def _ddim_step(t: int, alpha_bar_t: float, alpha_bar_s: float, eta: float) -> Step:
    variance_s, variance_t = 1 - alpha_bar_s, 1 - alpha_bar_t
    noise_variance = eta**2 * variance_s / variance_t * (1 - alpha_bar_t / alpha_bar_s)
    of_z = math.sqrt(alpha_bar_s / alpha_bar_t)
    of_noise = math.sqrt(variance_s - noise_variance) - of_z * math.sqrt(variance_t)
    return Step(t, of_z, of_noise, math.sqrt(noise_variance))
