"""How the time t of a term is drawn.

    Σ_t f_t = E_{t ~ p}[f_t / p_t]

for any p. It varies least where p_t goes with the size of f_t, which is a weight times an error:

    f_t = w_t ‖ε - ε̂‖²,     E‖ε - ε̂‖² = ᾱ_t d    with the best network for z_0 ~ N(0, I)

    importance           p_t ∝ w_t                 as if the error were the same at every t
    matched, v           p_t ∝ w_t ᾱ_t             ε - ε̂ = alpha_t (v - v̂): every error shrinks so
    matched, ε and x_0   0.6 of that, 0.3 uniform, 0.1 as importance
    second moment        p_t ∝ √(mean of the last ten f_t²), and a thousandth uniform

Under a cosine schedule w_T is 97 to 99 % of all w_t, while ᾱ_T is next to nothing. A network that
predicts ε or x_0 does not bring its error at the ends down to what the best one leaves, so its law
keeps a share of every t, and one of those where a small error costs most. With the best network a
draw then has at most 0.6 of the deviation under uniform t, from 8 dimensions on, in each schedule.

Where one u in each of N equal parts of [0, 1] becomes a t (strata), every t has its share of N
draws to within one. Second moment: Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 18.
"""

from typing import Any

import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor, nn

NUM_KEPT = 10
UNIFORM_SHARE = 0.001


def matched_shares(
    prediction: str,
    weight: Float64[Tensor, " times"],
    alphas_bar: Float64[Tensor, " times"],
    uniform: Float64[Tensor, " times"],
) -> Float64[Tensor, " times"]:
    """Shares of t that go with the error which the network's own output can leave.

    Args:
        prediction: what the network says, `v`, `epsilon` or `x0`.
        weight: w_t, nats for an error of 1 in ε; 0 where t is not drawn.
        alphas_bar: ᾱ_t.
        uniform: shares of the uniform law.
    """
    best, flat, steep = (
        shares / shares.sum() for shares in (weight * alphas_bar, uniform, weight)
    )
    return best if prediction == "v" else 0.6 * best + 0.3 * flat + 0.1 * steep


class TimeLaw(nn.Module):
    """The distribution p over those t that have a positive share."""

    times: Int[Tensor, " positive"]
    begins: Float64[Tensor, " positive"]
    inverse_probability: Float[Tensor, " times"]

    def __init__(self, shares: Float64[Tensor, " times"]) -> None:
        """p_t in proportion to shares[t]."""
        super().__init__()
        times = shares.nonzero().squeeze(1)
        self.register_buffer("times", times, persistent=False)
        self.register_buffer("begins", torch.zeros_like(shares[times]), persistent=False)
        inverse = torch.zeros_like(shares, dtype=torch.float32)
        self.register_buffer("inverse_probability", inverse, persistent=False)
        self._tabulate(shares[times] / shares.sum())

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

    def observe(self, t: Int[Tensor, " batch"], cost: Float[Tensor, " batch"]) -> None:
        """Learns from the terms f_t of a training batch, nats; only some laws do."""

    def _tabulate(self, p: Float64[Tensor, " positive"]) -> None:
        self.begins.copy_(p.cumsum(0) - p)
        self.inverse_probability[self.times] = (1 / p).float()


class SecondMomentLaw(TimeLaw):
    """p_t by the size that f_t had in training; uniform until each t was drawn ten times."""

    history: Float[Tensor, "positive kept"]
    counts: Int64[Tensor, " positive"]

    def __init__(self, shares: Float64[Tensor, " times"]) -> None:
        """Begins with p_t in proportion to shares[t]."""
        super().__init__(shares)
        num_times = len(self.times)
        self.register_buffer("history", torch.zeros(num_times, NUM_KEPT))
        self.register_buffer("counts", torch.zeros(num_times, dtype=torch.int64))
        self.register_load_state_dict_post_hook(_follow_loaded_history)  # type: ignore[no-untyped-call]  # torch: no types

    @torch.no_grad()
    def observe(self, t: Int[Tensor, " batch"], cost: Float[Tensor, " batch"]) -> None:
        """Keeps the squares of the newest terms, and follows them."""
        place = torch.searchsorted(self.times, t)
        order = place.argsort(stable=True)
        place = place[order]
        drawn = torch.bincount(place, minlength=len(self.times))
        rank = torch.arange(len(place), device=place.device) - torch.searchsorted(place, place)
        is_kept = rank >= drawn[place] - NUM_KEPT
        slot = (self.counts[place] + rank) % NUM_KEPT
        self.history[place[is_kept], slot[is_kept]] = cost[order].square()[is_kept]
        self.counts += drawn
        self.follow_history()

    def follow_history(self) -> None:
        """Makes p that of the history, once each t has a whole one."""
        size = self.history.double().mean(1).sqrt()
        uniform = torch.full_like(size, 1 / len(size))
        if bool((self.counts < NUM_KEPT).any() | (size.sum() == 0)):
            self._tabulate(uniform)
        else:
            self._tabulate(torch.lerp(size / size.sum(), uniform, UNIFORM_SHARE))


def _follow_loaded_history(law: nn.Module, keys: Any) -> None:
    assert isinstance(law, SecondMomentLaw)
    law.follow_history()
