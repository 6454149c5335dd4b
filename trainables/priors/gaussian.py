"""The standard normal prior, p(z) = N(0, I).

    KL(N(loc, scale²) || N(0, 1)) = ½ (loc² + scale² - 1) - log scale      in each dimension

Kingma & Welling 2014, arXiv 1312.6114, appendix B.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.priors.prior import Prior


class GaussianPrior(Prior):
    """N(0, I): nothing to learn, and a rate in closed form."""

    loc: Float[Tensor, " latent"]

    def __init__(self, latent_size: int) -> None:
        """The standard normal over `latent_size` dimensions."""
        super().__init__(latent_size)
        self.register_buffer("loc", torch.zeros(latent_size), persistent=False)

    def rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """KL(q || p) in nats per image; exact, whatever z is."""
        return self.rate_by_dimension(q).sum(-1)

    def rate_by_dimension(self, q: Independent[Normal]) -> Float[Tensor, "batch latent"]:
        """KL(q || p) of each latent dimension, in nats."""
        loc, scale = q.base_dist.loc, q.base_dist.scale
        return (loc**2 + scale**2 - 1) / 2 - scale.log()

    def log_prob(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, " batch"]:
        """The exact log p(z), in nats."""
        return -(z**2 + math.log(2 * math.pi)).sum(-1) / 2

    def sample(self, num_samples: int) -> Float[Tensor, "batch latent"]:
        """Draws from N(0, I)."""
        return torch.randn(num_samples, self.latent_size, device=self.loc.device)
