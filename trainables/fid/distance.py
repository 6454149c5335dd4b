"""The Fréchet distance between two Gaussians in a feature space.

    FID(a, b) = ‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½)        lower is better

The trace of the root is the sum of the roots of the eigenvalues of Σ_a Σ_b, so a covariance
without full rank, whose inverse a Cholesky factor would need, is not a special case. Heusel et al.
2017, arXiv 1706.08500.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Mean and covariance of features, and from how many images they come."""

    mean: Float64[Tensor, " features"]
    covariance: Float64[Tensor, "features features"]
    num_samples: int


def feature_statistics(features: Float[Tensor, "num features"]) -> FeatureStatistics:
    """Statistics in float64; the covariance is the unbiased one."""
    exact = features.double().cpu()
    return FeatureStatistics(exact.mean(0), torch.cov(exact.T), len(exact))


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """The distance above, by torch-fidelity's own computation; lower is better, 0 if equal."""
    first, second = ({"mu": s.mean.numpy(), "sigma": s.covariance.numpy()} for s in (a, b))
    metrics = fid_statistics_to_metric(first, second, verbose=False)
    return float(metrics[KEY_METRIC_FID])
