"""Whether two cells differ: Welch's test, corrected for how many comparisons are made together.

    t = (m_a - m_b) / √(s_a²/n_a + s_b²/n_b)                            Welch 1947
    adjusted p of the k-th smallest of m:  max_{j <= k} (m - j + 1) p_j   Holm 1979
    equivalent within ±δ: both one-sided tests against ±δ reject         Schuirmann 1987

With few seeds a percentile bootstrap calls too many differences, and a permutation test cannot
reach the level; t tests can.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import nct, ttest_ind
from scipy.stats import t as student_t

LEVEL = 0.05
POWER = 0.8
MOST_SEEDS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of a value of which lower is better.

    Attributes:
        difference: mean of the first minus mean of the second; below 0 the first is better.
        interval: its 95 % interval, not adjusted.
        p_value: of no difference, two-sided.
        adjusted_p: the same among the comparisons made together.
        standard_error: of the difference.
        freedom: Welch's degrees of freedom.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    adjusted_p: float
    standard_error: float
    freedom: float

    @property
    def verdict(self) -> str:
        """`lower` or `higher` where the difference is real at the level, else `cannot tell`."""
        if self.adjusted_p >= LEVEL:
            return "cannot tell"
        return "lower" if self.difference < 0 else "higher"

    def equivalence_p(self, bound: float) -> float:
        """The larger p of the two one-sided tests that the difference lies within ±bound."""
        if self.standard_error == 0:
            return 0.0 if abs(self.difference) < bound else 1.0
        distance = (bound - abs(self.difference)) / self.standard_error
        return float(student_t.sf(distance, self.freedom))


def compare(a: Sequence[float], b: Sequence[float]) -> Comparison | None:
    """Welch's comparison of two samples, alone; None below two values on either side."""
    if min(len(a), len(b)) < 2:
        return None
    difference = float(np.mean(a) - np.mean(b))
    if len(set(a)) == len(set(b)) == 1:  # nothing varies, so nothing is left to doubt
        p_value = float(difference == 0)
        return Comparison(difference, (difference,) * 2, p_value, p_value, 0.0, math.inf)
    test = ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(1 - LEVEL)
    error = math.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    return Comparison(
        difference,
        (float(interval.low), float(interval.high)),
        float(test.pvalue),
        float(test.pvalue),
        error,
        float(test.df),
    )


def compare_all(
    samples: Sequence[Sequence[float]],
) -> dict[tuple[int, int], Comparison]:
    """All pairs that can be compared, by their places, adjusted for their number."""
    pairs = {
        (i, j): comparison
        for i, j in itertools.combinations(range(len(samples)), 2)
        if (comparison := compare(samples[i], samples[j])) is not None
    }
    return dict(zip(pairs, adjusted(list(pairs.values())), strict=True))


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons, with Holm's p for making all of them together."""
    values = holm([comparison.p_value for comparison in comparisons])
    return [replace(c, adjusted_p=p) for c, p in zip(comparisons, values, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted_values = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted_values[place] = largest
    return adjusted_values


def seeds_needed(
    difference: float, deviation: float, num_comparisons: int = 1, power: float = POWER
) -> int | None:
    """Seeds a side with which a difference of this size would be found; None above 200.

    Args:
        difference: of the means, either sign.
        deviation: standard deviation over seeds, the larger of both sides.
        num_comparisons: made together; the level is divided by it, as Holm's first step does.
        power: the probability with which it would be found.
    """
    if difference == 0:
        return None
    if deviation == 0:
        return 2
    effect = abs(difference) / deviation
    for num in range(2, MOST_SEEDS + 1):
        freedom = 2 * num - 2
        critical = student_t.isf(LEVEL / num_comparisons / 2, freedom)
        if nct.sf(critical, freedom, effect * math.sqrt(num / 2)) >= power:
            return num
    return None
