"""What training lowers: the bound, with its rate weighed while z is still to be learned.

    loss = distortion + w · rate + auxiliary

w follows the KL annealing. With λ free bits in each of d dimensions the rate is Σ_i max(λ, rate_i)
of the batch's mean where it factorises, else max(λ d, rate) (Kingma et al. 2016,
arXiv 1606.04934, eq. 15).
"""

from jaxtyping import Float
from torch import Tensor

from trainables.vae import Elbo


def training_loss(
    elbo: Elbo, *, kl_weight: float, free_bits: float, latent_size: int
) -> Float[Tensor, ""]:
    """The loss of a batch, nats per image; lower is better.

    Args:
        elbo: both halves of its bound.
        kl_weight: w above.
        free_bits: λ above, nats a latent dimension.
        latent_size: d above.
    """
    rate = _rate_above(elbo, free_bits, latent_size)
    return elbo.distortion.mean() + kl_weight * rate + elbo.auxiliary


def _rate_above(elbo: Elbo, free_bits: float, latent_size: int) -> Float[Tensor, ""]:
    if free_bits == 0:
        return elbo.rate.mean()
    if elbo.rate_by_dimension is None:
        return elbo.rate.mean().clamp(min=free_bits * latent_size)
    return elbo.rate_by_dimension.mean(0).clamp(min=free_bits).sum()
