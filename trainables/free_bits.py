"""Free bits: below a floor the rate costs the encoder nothing, while the prior goes on to learn.

    R = distortion + w · rate,   with the rate's gradient times g on its way to q and z

    total        g = 1 where the batch's mean rate reaches λ d, else 0
    dimension    g_i the same of rate_i and λ, where the prior factorises

λ in nats a latent dimension (Kingma et al. 2016, arXiv 1606.04934, eq. 15, where the clamp also
stops the prior: its gradient is then 0 below the floor, and a learned prior never gets to it).
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal


@dataclass(slots=True, eq=False)
class EncoderGate:
    """What of the rate's gradient reaches the encoder.

    Attributes:
        share: factor of the gradient, by latent dimension or for all; to be set before the
            backward pass.
    """

    share: Float[Tensor, "*latent"] = field(default_factory=lambda: torch.ones(()))

    def guard(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> tuple[Independent[Normal], Float[Tensor, "batch latent"]]:
        """The same posterior and sample, whose gradients pass the gate."""
        loc, scale = (self._guarded(value) for value in (q.base_dist.loc, q.base_dist.scale))
        guarded = Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)
        return guarded, self._guarded(z)

    def open_above(self, floor: float, rate: Float[Tensor, "*latent"]) -> None:
        """Lets the gradient pass where the batch's mean rate is not below the floor, nats."""
        self.share = (rate.detach() >= floor).to(rate)

    def _guarded(self, value: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
        if not value.requires_grad:
            return value
        copy = value.view_as(value)
        copy.register_hook(lambda gradient: gradient * self.share)
        return copy
