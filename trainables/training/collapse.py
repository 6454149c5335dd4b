"""How much of the latent space is in use.

    active units      #{i : I_i > 0.01 nats}
    I_i               ½ log(Var_x[loc_i] + E_x[scale_i²]) - E_x[log scale_i]
    I(x; z)           E_q[log q(z|x) - log q(z)],  q(z) = 1/N Σ_n q(z|x_n)
    rate              I(x; z) + KL(q(z) || p(z))                           Hoffman & Johnson 2016

Over the same N images q(z) always holds the image that z came from: the estimate of I(x; z) is at
most log N, and near it says no more than "at least".

I_i is an upper bound on I(x; z_i), equal to it where z_i is Gaussian over all images; rescaling
z_i does not change it. Burda et al. 2016, arXiv 1509.00519, count #{i : Var_x[loc_i] > 0.01},
which means something under N(0, I) only, where the scale of z_i is given; so do configs of
revision 1.
"""

import math

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.config import NEWEST_REVISION
from trainables.measurement import Collapse

ACTIVE_INFORMATION = 0.01  # nats
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
    revision: int = NEWEST_REVISION,
) -> Collapse:
    """The diagnostics of a batch of images, the first thousand of them at most.

    Args:
        q: the posterior of each image.
        z: a sample of each.
        rate: KL(q || p) of each, or its bound, nats.
        rate_by_dimension: the same by latent dimension, where the prior factorises.
        revision: of the config, see above.
    """
    loc, scale = q.base_dist.loc[:NUM_IMAGES], q.base_dist.scale[:NUM_IMAGES]
    information = mutual_information(loc, scale, z[:NUM_IMAGES])
    ceiling = math.log(len(loc))
    by_dimension = () if rate_by_dimension is None else tuple(rate_by_dimension.mean(0).tolist())
    return Collapse(
        active_units=int(_is_active(loc, scale, revision).sum()),
        mutual_information=information,
        ceiling=ceiling,
        is_saturated=information > SATURATED_SHARE * ceiling,
        aggregate_gap=rate[:NUM_IMAGES].double().mean().item() - information,
        rate_by_dimension=by_dimension,
    )


def information_by_dimension(
    loc: Float[Tensor, "batch latent"], scale: Float[Tensor, "batch latent"]
) -> Float64[Tensor, " latent"]:
    """I_i above, in nats; 0 where the posterior says nothing of the image."""
    loc, scale = loc.double(), scale.double()
    spread = loc.var(0, correction=0) + scale.square().mean(0)
    return spread.log() / 2 - scale.log().mean(0)


def _is_active(
    loc: Float[Tensor, "batch latent"], scale: Float[Tensor, "batch latent"], revision: int
) -> Bool[Tensor, " latent"]:
    if revision == 1:
        return loc.var(0) > ACTIVE_VARIANCE
    return information_by_dimension(loc, scale) > ACTIVE_INFORMATION


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
