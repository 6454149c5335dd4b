import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from trainables.fid import FeatureStatistics, feature_statistics, frechet_distance


def drawn(seed: int, size: int = 6, shift: float = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(500, size, generator=generator, dtype=torch.float64) @ mixing + shift


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_that_of_two_gaussians(seed: int) -> None:
    a, b = feature_statistics(drawn(seed)), feature_statistics(drawn(seed + 50, shift=0.5))
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy()).real
    traces = a.covariance.trace() + b.covariance.trace() - 2 * np.trace(root)
    expected = float((a.mean - b.mean).square().sum() + traces)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_diagonal_gaussians_have_the_distance_of_their_means_and_deviations() -> None:
    means = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0]], dtype=torch.float64)
    deviations = torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 0.5]], dtype=torch.float64)
    a, b = (
        FeatureStatistics(m, torch.diag(s.square()), 10)
        for m, s in zip(means, deviations, strict=True)
    )
    expected = (means[0] - means[1]).square().sum() + (
        deviations[0] - deviations[1]
    ).square().sum()
    assert frechet_distance(a, b) == pytest.approx(float(expected))


def test_the_distance_of_equal_statistics_is_zero_and_grows_with_a_shift() -> None:
    a = feature_statistics(drawn(1, 8, shift=1))
    shifted = [FeatureStatistics(a.mean + s, a.covariance, a.num_samples) for s in (0, 1, 2)]
    distances = [frechet_distance(a, b) for b in shifted]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] == pytest.approx(8, rel=1e-6)
    assert distances[2] == pytest.approx(32, rel=1e-6)


def test_equal_statistics_have_distance_zero_also_where_a_feature_is_constant() -> None:
    features = drawn(0)
    features[:, 0] = 1
    statistics = feature_statistics(features)
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-5)


def test_the_distance_is_symmetric() -> None:
    a, b = feature_statistics(drawn(1)), feature_statistics(drawn(2, shift=1))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_statistics_are_those_of_numpy_in_double_precision() -> None:
    features = drawn(3).float()
    statistics = feature_statistics(features)
    exact = features.double().numpy()
    np.testing.assert_allclose(statistics.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, np.cov(exact, rowvar=False), rtol=1e-9)
    assert statistics.num_samples == 500
