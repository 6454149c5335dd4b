"""Precision and recall of samples: what share of one side lies on the manifold of the other.

The manifold of a set is the union of balls around its points, each reaching to the k-th nearest
neighbour in the set. Kynkäänniemi et al. 2019, arXiv 1904.06991.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.metric_prc import (
    KEY_METRIC_PRECISION,
    KEY_METRIC_RECALL,
    prc_features_to_metric,
)

NEIGHBOURHOOD = 3
ROWS_AT_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares in 0 … 1; higher is better.

    Attributes:
        precision: of the samples, those on the manifold of the reference.
        recall: of the reference, those on the manifold of the samples.
    """

    precision: float
    recall: float


def coverage(
    samples: Float[Tensor, "num_samples features"], reference: Float[Tensor, "num features"]
) -> Coverage:
    """Precision and recall, by torch-fidelity's own computation, a part at a time."""
    metrics = prc_features_to_metric(
        samples,
        reference,
        prc_neighborhood=NEIGHBOURHOOD,
        prc_batch_size=ROWS_AT_A_TIME,
        save_cpu_ram=True,
        verbose=False,
    )
    return Coverage(float(metrics[KEY_METRIC_PRECISION]), float(metrics[KEY_METRIC_RECALL]))
