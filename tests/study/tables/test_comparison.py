"""Comparisons of few seeds: against scipy, formulas, and how often they are wrong."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import t, ttest_ind, ttest_rel

from study.tables.comparison import (
    compare,
    compare_all,
    compare_in_pairs,
    holm,
    seeds_needed,
)

A, B = (30.0, 32.0, 35.0, 31.0), (25.0, 26.0, 24.5)


def mean_and_error(values: tuple[float, ...]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, variance / len(values)


def test_a_comparison_is_welchs() -> None:
    (mean_a, error_a), (mean_b, error_b) = mean_and_error(A), mean_and_error(B)
    freedom = (error_a + error_b) ** 2 / (error_a**2 / 3 + error_b**2 / 2)
    half = t.ppf(0.975, freedom) * math.sqrt(error_a + error_b)
    found = compare(A, B)
    assert found is not None
    assert found.interval == pytest.approx((mean_a - mean_b - half, mean_a - mean_b + half))
    assert found.freedom == pytest.approx(freedom)
    assert found.standard_error == pytest.approx(math.sqrt(error_a + error_b))
    assert found.p_value == pytest.approx(ttest_ind(A, B, equal_var=False).pvalue, rel=1e-12)


def test_a_comparison_in_pairs_is_students_over_the_common_seeds() -> None:
    first = {1: 30.0, 2: 32.0, 3: 35.0, 9: 1.0}
    second = {3: 24.5, 1: 25.0, 2: 26.0, 7: 99.0}
    found = compare_in_pairs(first, second)
    assert found is not None
    test = ttest_rel([30.0, 32.0, 35.0], [25.0, 26.0, 24.5])
    assert found.p_value == pytest.approx(test.pvalue, rel=1e-12)
    assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert (found.freedom, found.is_paired) == (2, True)


def test_equal_differences_leave_no_doubt_and_one_common_seed_all_of_it() -> None:
    found = compare_in_pairs({1: 3.0, 2: 5.0}, {1: 1.0, 2: 3.0})
    assert found is not None
    assert (found.interval, found.verdict) == ((2.0, 2.0), "higher")
    assert compare_in_pairs({1: 3.0, 2: 5.0}, {2: 1.0, 3: 3.0}) is None


def test_equal_numbers_are_equal_whatever_their_count() -> None:
    found = compare((0.1, 0.1), (0.1, 0.1, 0.1))
    assert found is not None
    assert (found.difference, found.verdict) == (0, "cannot tell")


def test_one_seed_is_never_compared() -> None:
    assert compare((1.0,), B) is None
    assert compare_all([(1.0,), A, B]).keys() == {(1, 2)}


def test_seeds_that_are_all_equal_have_an_interval_without_width() -> None:
    found = compare((3.0, 3.0), (1.0, 1.0, 1.0))
    assert found is not None
    assert found.interval == (2.0, 2.0)
    assert found.verdict == "higher"
    same = compare((3.0, 3.0), (3.0, 3.0))
    assert same is not None
    assert same.verdict == "cannot tell"


def test_equivalence_is_two_one_sided_tests() -> None:
    found = compare(A, B)
    assert found is not None
    shifted = [value - 8.0 for value in A]
    one_sided = ttest_ind(shifted, B, equal_var=False, alternative="less").pvalue
    assert found.equivalence_p(8.0) == pytest.approx(one_sided)
    assert found.equivalence_p(3.0) > 0.5


def test_a_difference_beyond_a_bound_of_0_is_the_two_sided_test() -> None:
    found = compare(A, B)
    assert found is not None
    assert found.beyond_p(0.0) == pytest.approx(found.p_value)
    assert found.beyond_p(3.0) < 0.05 < found.beyond_p(6.0)
    assert found.beyond_p(found.difference) > 0.5


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def simulated(effect: float, num_studies: int, num_seeds: int = 5) -> float:
    """The share of studies of three priors in which any pair is called different."""
    rng = np.random.default_rng(0)
    calls = 0
    for _ in range(num_studies):
        samples = rng.normal(size=(3, num_seeds))
        samples[0] += effect
        pairs = compare_all(samples.tolist())
        concerned = [c for pair, c in pairs.items() if effect == 0 or 0 in pair]
        calls += (any if effect == 0 else all)(c.verdict != "cannot tell" for c in concerned)
    return calls / num_studies


def test_false_calls_are_rare_over_a_whole_column() -> None:
    assert simulated(effect=0, num_studies=2000) <= 0.06


def test_a_large_effect_is_found_with_five_seeds() -> None:
    assert simulated(effect=4, num_studies=2000) >= 0.95


@pytest.mark.parametrize("effect", [1.5, 3.0])
def test_the_seeds_needed_find_the_effect_as_often_as_promised(effect: float) -> None:
    num = seeds_needed(effect, 1.0, num_comparisons=3)
    assert num is not None
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(2000):
        a, b = rng.normal(effect, size=num), rng.normal(size=num)
        found += ttest_ind(a, b, equal_var=False).pvalue < 0.05 / 3
    assert 0.75 < found / 2000 < 0.93
    fewer = seeds_needed(effect, 1.0)
    assert fewer is not None
    assert fewer <= num


def test_no_number_of_seeds_finds_no_difference() -> None:
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-3, 1.0) is None
    assert seeds_needed(5.0, 0.0) == 2


def test_all_pairs_are_compared_and_adjusted_together() -> None:
    samples = [A, B, (29.0, 30.0, 31.0)]
    found = compare_all(samples)
    assert found.keys() == set(combinations(range(3), 2))
    raw = [ttest_ind(samples[i], samples[j], equal_var=False).pvalue for i, j in found]
    assert [c.adjusted_p for c in found.values()] == pytest.approx(holm(raw))
