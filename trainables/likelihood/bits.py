"""From the bound in nats per image to bits per dimension, for likelihoods that have them.

bits per dimension = -ELBO / (D ln 2) + offset
offset = log2(L/2)      for a density on dequantised images in [-1, 1]
0              for a probability of levels
undefined      for what is not a density, or a density on images that have none
"""

import math

from trainables.config import DataConfig, LikelihoodConfig
from trainables.level import bits_offset


def bits_per_dim(
    likelihood: LikelihoodConfig, data: DataConfig, negative_elbo: float
) -> float | None:
    """Bits per dimension, lower is better; None where they are not defined.

    Args:
        likelihood: of the model.
        data: of its images.
        negative_elbo: rate + distortion, nats per image.
    """
    offset = _offset(likelihood, data)
    if offset is None:
        return None
    return negative_elbo / (data.format.num_dimensions * math.log(2)) + offset


def _offset(likelihood: LikelihoodConfig, data: DataConfig) -> float | None:
    match likelihood.kind:
        case "discretized_logistic":
            return 0.0
        case "gaussian" | "diagonal" if data.dequantise:
            return bits_offset(data.format.num_levels)
        case _:
            return None
