"""The kernel distance between images (KID): a squared maximum mean discrepancy, unbiased.

    KID(a, b) = E[k(a, a')] + E[k(b, b')] - 2 E[k(a, b)],   k(u, v) = (u·v / d + 1)³

Bińkowski et al. 2018, arXiv 1801.01401.
"""

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

NUM_SUBSETS = 100
LARGEST_SUBSET = 1000


def subset_size(num_samples: int, num_reference_images: int) -> int:
    """Images in each subset: as many as both sides have, torch-fidelity's number at most."""
    return min(LARGEST_SUBSET, num_samples, num_reference_images)


def kernel_distance(
    a: Float[Tensor, "num_a features"], b: Float[Tensor, "num_b features"]
) -> float:
    """The mean over subsets, by torch-fidelity's own computation; lower is better.

    It may fall a little below 0 between equal distributions, because it is unbiased.
    """
    metrics = kid_features_to_metric(
        a.float(),
        b.float(),
        kid_subsets=NUM_SUBSETS,
        kid_subset_size=subset_size(len(a), len(b)),
        verbose=False,
    )
    return float(metrics[KEY_METRIC_KID_MEAN])
