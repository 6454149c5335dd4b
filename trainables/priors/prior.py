"""What every prior offers: a rate to pay and samples to decode.

rate = KL(q(z|x) || p(z)), or an upper bound on it, in nats per image; lower is better
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """An evaluated rate, in nats per image; lower is better.

    Attributes:
        total: the rate.
        parts: its terms by name; they sum to the total.
        standard_error: of the total given z, from the noise that the prior itself draws; zero
            where the prior is exact given z.
    """

    total: Float[Tensor, " batch"]
    parts: dict[str, Float[Tensor, " batch"]]
    standard_error: Float[Tensor, " batch"]

    @classmethod
    def exact(cls, **parts: Float[Tensor, " batch"]) -> "RateEstimate":
        """The sum of parts that hold no noise of the prior's own."""
        total = torch.stack(list(parts.values())).sum(0)
        return cls(total, parts, torch.zeros_like(total))


class Prior(nn.Module, ABC):
    """p(z) over a latent space; a density is offered only by the priors that have one."""

    def __init__(self, latent_size: int) -> None:
        """A prior over vectors of `latent_size` numbers."""
        super().__init__()
        self.latent_size = latent_size

    @abstractmethod
    def rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """Training estimate of KL(q || p) in nats per image, in expectation never below it.

        Args:
            q: the posterior q(z|x) of each image.
            z: a sample of each, with its gradient.
        """

    @abstractmethod
    def sample(self, num_samples: int) -> Float[Tensor, "batch latent"]:
        """Draws from p(z), with torch's global random stream."""

    def evaluate_rate(
        self,
        q: Independent[Normal],
        z: Float[Tensor, "batch latent"],
        generator: torch.Generator,
    ) -> RateEstimate:
        """Estimate of the same quantity as `rate`, with little variance.

        Args:
            q: the posterior q(z|x) of each image.
            z: a sample of each.
            generator: the only source of noise.
        """
        return RateEstimate.exact(rate=self.rate(q, z))

    def log_weight(
        self, z: Float[Tensor, "batch latent"], generator: torch.Generator
    ) -> Float[Tensor, " batch"] | None:
        """Log of an unbiased estimate of p(z), in nats; none where the prior offers none.

        A prior with an exact `log_prob` has it here.

        Args:
            z: where.
            generator: the only source of noise.
        """
        log_prob = getattr(self, "log_prob", None)
        return None if log_prob is None else log_prob(z)

    def rate_by_dimension(self, q: Independent[Normal]) -> Float[Tensor, "batch latent"] | None:
        """The rate of each latent dimension in nats, where the prior factorises; else none."""
        return None

    def measure_errors(self, z: Float[Tensor, "batch latent"], generator: torch.Generator) -> None:
        """Measures anew what the prior keeps of its own errors; most keep nothing.

        Weights that are an average of others were never trained, so nothing was observed of them.

        Args:
            z: samples of the posteriors of some images.
            generator: the only source of noise.
        """

    def auxiliary_loss(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
        """What trains the prior alone, on detached z; zero for most."""
        return z.new_zeros(())


def negative_entropy(q: Independent[Normal]) -> Float[Tensor, " batch"]:
    """-H[q] = E_q[log q(z|x)] in closed form, nats per image."""
    return -(q.base_dist.scale.log() + (1 + math.log(2 * math.pi)) / 2).sum(-1)


def entropy_departure(latent_size: int) -> float:
    """What the published code adds to -H[q], nats: its constant is log(2 √(πe)), and only once."""
    exact = latent_size / 2 * (1 + math.log(2 * math.pi))
    published = math.log(2) + (1 + math.log(math.pi)) / 2
    return exact - published
