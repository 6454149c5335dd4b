"""Where the published code departs from its bounds; for repeating its table, not for use.

Gaussian, with s the log of the scale that z is drawn with:
    rate = -s/2 + loc²/2 + exp(s)/2                           in each dimension
Diffusion, with t uniform:
    rate = -H[q(z_0|x)] + KL(q(z_T|x) || N(0, I)) + T E_t‖μ̃ - μ‖²
    q(z_T|x) = N(√ᾱ_T loc, ᾱ_T scale² + 1 - ᾱ_T),   ‖μ̃ - μ‖² = m_t ‖ε - ε̂‖²

None of these is a bound. The code of Wehenkel & Louppe 2021, arXiv 2106.15671; its chain is in
`trainables.diffusion.chain`, its entropy in `trainables.priors.prior`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.config import NEWEST_REVISION, DiffusionPriorConfig
from trainables.diffusion.chain import Chain
from trainables.priors.diffusion import DiffusionPrior
from trainables.priors.gaussian import GaussianPrior


class PublishedGaussianPrior(GaussianPrior):
    """N(0, I), with a rate in which half of log scale stands for the whole."""

    def rate_by_dimension(self, q: Independent[Normal]) -> Float[Tensor, "batch latent"]:
        """What is paid for each latent dimension, in place of the nats due."""
        loc, scale = q.base_dist.loc, q.base_dist.scale
        return (loc**2 + scale - scale.log()) / 2


class PublishedDiffusionPrior(DiffusionPrior):
    """A DDPM whose means weigh T for one uniform t, whatever the variance."""

    def __init__(
        self,
        config: DiffusionPriorConfig,
        latent_size: int,
        chain: Chain | None = None,
        entropy_departure: float = 0.0,
        revision: int = NEWEST_REVISION,
    ) -> None:
        """As its base; t is drawn uniformly, whatever the config says."""
        uniform = config.model_copy(update={"times": "uniform"})
        super().__init__(uniform, latent_size, chain, entropy_departure, revision)

    def _cost(
        self,
        t: Int[Tensor, "*shape"],
        error: Float[Tensor, "*shape latent"],
        log_ratio: Float[Tensor, "*shape #latent"],
    ) -> Float[Tensor, "*shape"]:
        return (self.multiplicity * self._usual_weight())[t] * error.sum(-1)

    def _constants(self) -> Float[Tensor, "2"]:
        return self.multiplicity.new_zeros(2)

    def _usual_weight(self) -> Float[Tensor, " times"]:
        return self.process.variance.mean_weight()

    def _end_rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        loc, scale = q.base_dist.loc, q.base_dist.scale
        excess = self.end_signal * (scale**2 - 1)
        return (self.end_signal * loc**2 + excess - torch.log1p(excess)).sum(-1) / 2
