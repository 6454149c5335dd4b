"""The states that a diffusion prior walks, and which of them its loss counts.

    loss = … + Σ_t k_t L_{t-1}

In the bound k_t is 1 for every t, and the network is told the t that it sees. The published code
has one state more, 0 … T, of which z is no longer the first: it draws t from 1 … T - 1, weighs the
draw with T, and is told t - 1 in training but t in sampling. Here a chain's times begin with 1,
as time 0 is z itself: its 0 … T are our 1 … T + 1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import BetaScheduleConfig


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A noise schedule and its use.

    Attributes:
        schedule: how z turns into noise.
        multiplicity: k_t, how often the loss counts the term of time t; 0 at index 0.
        training_lag: by how much the network is told too early a time in training.
    """

    schedule: BetaSchedule
    multiplicity: Float64[Tensor, " times"]
    training_lag: int


def exact_chain(config: BetaScheduleConfig) -> Chain:
    """The chain of the bound: every time counts once."""
    multiplicity = torch.ones(config.num_steps + 1, dtype=torch.float64)
    multiplicity[0] = 0
    return Chain(build_beta_schedule(config), multiplicity, training_lag=0)


def shifted_chain(config: BetaScheduleConfig) -> Chain:
    """The chain of the published code."""
    num_steps = config.num_steps
    multiplicity = torch.zeros(num_steps + 2, dtype=torch.float64)
    multiplicity[2:-1] = num_steps / (num_steps - 1)
    schedule = build_beta_schedule(config, num_betas=num_steps + 1)
    return Chain(schedule, multiplicity, training_lag=1)
