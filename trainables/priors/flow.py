"""A normalizing flow as prior: affine autoregressive steps between z and noise u.

    p(z) = N(f(z); 0, I) |det ∂f/∂z|,   f = f_K ∘ … ∘ f_1
    f_k: u_i = exp(a_i(z_{<i})) z_i + b_i(z_{<i})      the order of i is reversed at each k
    rate = log q(z|x) - log p(z)

Papamakarios et al. 2017, arXiv 1705.07057. The density takes one pass, a sample one pass for each
dimension and step.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal
from zuko.flows import MAF
from zuko.transforms import MonotonicAffineTransform

from trainables.config import FlowPriorConfig
from trainables.priors.prior import Prior, RateEstimate, negative_entropy

LARGEST_SHIFT = 5.0
LOG_SCALES = (-5.0, 2.0)


class ClampedAffineTransform(MonotonicAffineTransform):  # type: ignore[misc]  # zuko: no types
    """x exp(a) + b with a and b cut off, as the published code has it: no gradient beyond."""

    def __init__(self, shift: Tensor, scale: Tensor) -> None:
        """With b = clamp(shift, ±5) and a = clamp(scale, -5, 2)."""
        super().__init__(shift.clamp(-LARGEST_SHIFT, LARGEST_SHIFT), scale)
        self.log_scale = scale.clamp(*LOG_SCALES)
        self.scale = self.log_scale.exp()


class FlowPrior(Prior):
    """A masked autoregressive flow, with an exact density."""

    def __init__(
        self,
        config: FlowPriorConfig,
        latent_size: int,
        entropy_departure: float = 0.0,
        *,
        is_clamped: bool = False,
    ) -> None:
        """A flow of `num_transforms` steps, each with a masked MLP of `num_layers`.

        Args:
            config: its numbers.
            latent_size: number of dimensions of z.
            entropy_departure: what -H[q] is too high by, nats; zero but for the published code.
            is_clamped: whether shifts and log scales are cut off as in the published code; they
                are bounded smoothly by default, the log scales by ±log 1000.
        """
        super().__init__(latent_size)
        self.entropy_departure = entropy_departure
        self.flow = MAF(
            latent_size,
            transforms=config.num_transforms,
            hidden_features=[config.hidden_size] * config.num_layers,
            univariate=ClampedAffineTransform if is_clamped else MonotonicAffineTransform,
        )

    def rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """One sample, log q(z|x) - log p(z), of KL(q || p) in nats per image."""
        log_q: Tensor = q.log_prob(z)
        return log_q - self.log_prob(z) + self.entropy_departure

    def evaluate_rate(
        self,
        q: Independent[Normal],
        z: Float[Tensor, "batch latent"],
        generator: torch.Generator,
    ) -> RateEstimate:
        """The rate with log q's mean in closed form: most of the sample's noise is in log q."""
        entropy = negative_entropy(q) + self.entropy_departure
        return RateEstimate.exact(entropy=entropy, cross_entropy=-self.log_prob(z))

    def log_prob(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, " batch"]:
        """The exact log p(z), in nats."""
        log_p: Tensor = self.flow().log_prob(z)
        return log_p

    @torch.no_grad()
    def sample(self, num_samples: int) -> Float[Tensor, "batch latent"]:
        """Noise, carried through the inverse flow."""
        z: Tensor = self.flow().sample((num_samples,))
        return z
