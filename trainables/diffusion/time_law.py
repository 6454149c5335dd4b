"""How the time t of a term is drawn.

    Σ_t f_t = E_{t ~ p}[f_t / p_t]

for any p. It varies least where p_t goes with the size of f_t; where one u in each of N equal
parts of [0, 1] becomes a t (strata), every t has its share of N draws to within one.
"""

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn


class TimeLaw(nn.Module):
    """The distribution p over those t that have a positive share."""

    times: Int[Tensor, " positive"]
    begins: Float64[Tensor, " positive"]
    inverse_probability: Float[Tensor, " times"]

    def __init__(self, shares: Float64[Tensor, " times"]) -> None:
        """p_t in proportion to shares[t]."""
        super().__init__()
        times = shares.nonzero().squeeze(1)
        p = shares[times] / shares.sum()
        inverse = torch.zeros_like(shares).index_put((times,), 1 / p)
        self.register_buffer("times", times, persistent=False)
        self.register_buffer("begins", p.cumsum(0) - p, persistent=False)
        self.register_buffer("inverse_probability", inverse.float(), persistent=False)

    def at(self, u: Float64[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The t that u in [0, 1] means: uniform u become draws from p."""
        return self.times[torch.bucketize(u, self.begins, right=True) - 1]

    def draw(self, num: int) -> Int[Tensor, " batch"]:
        """Independent draws, with torch's global random stream."""
        return self.at(torch.rand(num, dtype=torch.float64, device=self.begins.device))

    def draw_systematic(self, num: int) -> Int[Tensor, " batch"]:
        """Draws at equal distances in u, around a circle: each follows p, all spread evenly."""
        device = self.begins.device
        begin = torch.rand(1, dtype=torch.float64, device=device)
        return self.at((begin + torch.arange(num, device=device) / num) % 1)

    def draw_strata(
        self, num: int, num_strata: int, generator: torch.Generator
    ) -> Int[Tensor, "batch strata 2"]:
        """Two independent draws from each of `num_strata` equal parts, `num` times over."""
        device = self.begins.device
        size = (num, num_strata, 2)
        u = torch.rand(size, generator=generator, dtype=torch.float64, device=device)
        return self.at((u + torch.arange(num_strata, device=device)[:, None]) / num_strata)
