"""How much of the latent space is in use.

    active units      #{i : Var_x E_q[z_i | x] > 0.01}                     Burda et al. 2016
    I(x; z)           E_q[log q(z|x) - log q(z)],  q(z) = 1/N Σ_n q(z|x_n)
    rate              I(x; z) + KL(q(z) || p(z))                           Hoffman & Johnson 2016

Over the same N images q(z) always holds the image that z came from: the estimate of I(x; z) is at
most log N, and near it says no more than "at least".
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.measurement import Collapse

ACTIVE_VARIANCE = 0.01
# Of log N; an estimate above it could as well belong to a much larger information.
SATURATED_SHARE = 0.95
NUM_IMAGES = 1000
ROWS_AT_A_TIME = 100


def measure_collapse(
    q: Independent[Normal],
    z: Float[Tensor, "batch latent"],
    rate: Float[Tensor, " batch"],
    rate_by_dimension: Float[Tensor, "batch latent"] | None,
) -> Collapse:
    """The diagnostics of a batch of images, the first thousand of them at most.

    Args:
        q: the posterior of each image.
        z: a sample of each.
        rate: KL(q || p) of each, or its bound, nats.
        rate_by_dimension: likewise by latent dimension, where the prior factorises.
    """
    loc, scale = q.base_dist.loc[:NUM_IMAGES], q.base_dist.scale[:NUM_IMAGES]
    information = mutual_information(loc, scale, z[:NUM_IMAGES])
    ceiling = math.log(len(loc))
    by_dimension = () if rate_by_dimension is None else tuple(rate_by_dimension.mean(0).tolist())
    return Collapse(
        active_units=int((loc.var(0) > ACTIVE_VARIANCE).sum()),
        mutual_information=information,
        ceiling=ceiling,
        is_saturated=information > SATURATED_SHARE * ceiling,
        aggregate_gap=rate[:NUM_IMAGES].double().mean().item() - information,
        rate_by_dimension=by_dimension,
    )


def mutual_information(
    loc: Float[Tensor, "batch latent"],
    scale: Float[Tensor, "batch latent"],
    z: Float[Tensor, "batch latent"],
) -> float:
    """I(x; z) in nats, estimated with one z of each image; at most log of their number."""
    logs = [_log_densities(loc, scale, rows) for rows in z.split(ROWS_AT_A_TIME)]
    by_pair = torch.cat(logs)  # log q(z_n | x_m)
    log_aggregate = by_pair.logsumexp(1) - math.log(len(loc))
    return (by_pair.diagonal() - log_aggregate).mean().item()


def _log_densities(
    loc: Float[Tensor, "batch latent"],
    scale: Float[Tensor, "batch latent"],
    z: Float[Tensor, "rows latent"],
) -> Float[Tensor, "rows batch"]:
    normal = Normal(loc.double(), scale.double(), validate_args=False)
    log_density: Tensor = normal.log_prob(z[:, None].double()).sum(-1)
    return log_density
