"""One learned scale for all pixels.

    scale = floor + exp(GAIN · log_excess)

Rybkin et al. 2021, arXiv 2006.13202, show what one shared, learned scale does for a VAE.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

INITIAL_SCALE = 0.5
GAIN = 10.0


class LearnedScale(nn.Module):
    """A positive number on the scale of x that training moves, and that has a floor."""

    floor: Float[Tensor, ""]

    def __init__(self, floor: float, initial: float = INITIAL_SCALE) -> None:
        """Begins at `initial`, or a tenth of it above a floor that is higher."""
        super().__init__()
        above_floor = max(initial - floor, initial / 10)
        # Adam moves every number by its learning rate, and this one has a long way to go:
        # the gain lets it arrive in hundreds of steps instead of thousands.
        self.log_excess = nn.Parameter(torch.tensor(math.log(above_floor) / GAIN))
        self.register_buffer("floor", torch.tensor(floor), persistent=False)

    def forward(self) -> Float[Tensor, ""]:
        """The scale above."""
        return self.floor + torch.exp(GAIN * self.log_excess)
