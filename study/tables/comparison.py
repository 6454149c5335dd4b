"""Whether two cells differ: a t test, corrected for how many comparisons are made together.

    t = (m_a - m_b) / √(s_a²/n_a + s_b²/n_b)                            Welch 1947
    t = m_d / √(s_d²/n),   d = a - b seed by seed                       Student 1908, in pairs
    adjusted p of the k-th smallest of m:  max_{j <= k} (m - j + 1) p_j   Holm 1979
    equivalent within ±δ: both one-sided tests against ±δ reject         Schuirmann 1987

Pairs are for configs of one stratum, which share their seeds; those of two priors do not. With
few seeds a percentile bootstrap calls too many differences, and a permutation test cannot reach
the level; t tests can.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import nct
from scipy.stats import t as student_t

LEVEL = 0.05
POWER = 0.8
MOST_SEEDS = 200
UNDECIDED = "cannot tell"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of a value.

    Attributes:
        difference: mean of the first minus mean of the second.
        interval: its 95 % interval, not adjusted.
        p_value: of no difference, two-sided.
        adjusted_p: the same among the comparisons made together.
        standard_error: of the difference.
        freedom: degrees of freedom of its t.
        is_paired: whether it is over the seeds that both sides have.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    adjusted_p: float
    standard_error: float
    freedom: float
    is_paired: bool = False

    @property
    def verdict(self) -> str:
        """`lower` or `higher` where the adjusted p is below the level, else `cannot tell`."""
        return self._verdict(self.adjusted_p)

    @property
    def own_verdict(self) -> str:
        """The same by its own p, for claims that every one of their comparisons must support."""
        return self._verdict(self.p_value)

    def equivalence_p(self, bound: float) -> float:
        """The larger p of the two one-sided tests that the difference lies within ±bound."""
        if self.standard_error == 0:
            return 0.0 if abs(self.difference) < bound else 1.0
        distance = (bound - abs(self.difference)) / self.standard_error
        return float(stdtr(self.freedom, -distance))

    def beyond_p(self, bound: float) -> float:
        """The p of a difference that lies within ±bound; small where it is beyond it."""
        if self.standard_error == 0:
            return 0.0 if abs(self.difference) > bound else 1.0
        near, far = (
            stdtr(self.freedom, -(abs(self.difference) + shift) / self.standard_error)
            for shift in (-bound, bound)
        )
        return min(1.0, float(near + far))

    def _verdict(self, p_value: float) -> str:
        if p_value >= LEVEL:
            return UNDECIDED
        return "lower" if self.difference < 0 else "higher"


class Difference(NamedTuple):
    """Differences of means with what their t tests need, in any number."""

    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    freedom: NDArray[np.float64]


def welch(a: ArrayLike, b: ArrayLike) -> Difference:
    """The means of a minus those of b, over the last axis; the seeds of both are independent."""
    first, second = np.asarray(a, float), np.asarray(b, float)
    parts = [np.var(x, axis=-1, ddof=1) / x.shape[-1] for x in (first, second)]
    shares = [part**2 / (x.shape[-1] - 1) for part, x in zip(parts, (first, second), strict=True)]
    variance = parts[0] + parts[1]
    certain = variance == 0
    freedom = np.where(certain, np.inf, variance**2 / np.where(certain, 1, sum(shares)))
    return Difference(first.mean(-1) - second.mean(-1), np.sqrt(variance), freedom)


def paired(a: ArrayLike, b: ArrayLike) -> Difference:
    """The mean of a minus b over the last axis, along which both have the same seeds."""
    differences = np.asarray(a, float) - np.asarray(b, float)
    num = differences.shape[-1]
    error = np.std(differences, axis=-1, ddof=1) / math.sqrt(num)
    return Difference(differences.mean(-1), error, np.full(error.shape, num - 1.0))


def compare(a: Sequence[float], b: Sequence[float]) -> Comparison | None:
    """Welch's comparison of two samples, alone; None below two values on either side."""
    if min(len(a), len(b)) < 2:
        return None
    if len(set(a)) == len(set(b)) == 1:  # means of equal numbers may differ in their last digit
        return comparison(a[0] - b[0], 0.0, math.inf)
    return comparison(*map(float, welch(a, b)))


def compare_in_pairs(a: Mapping[Any, float], b: Mapping[Any, float]) -> Comparison | None:
    """The comparison over the seeds that both have; None below two of them.

    Args:
        a: values by seed.
        b: the others, by theirs.
    """
    seeds = [seed for seed in a if seed in b]
    if len(seeds) < 2:
        return None
    sides = [a[seed] for seed in seeds], [b[seed] for seed in seeds]
    differences = {first - second for first, second in zip(*sides, strict=True)}
    is_certain = len(differences) == 1
    found = (differences.pop(), 0.0, math.inf) if is_certain else map(float, paired(*sides))
    return replace(comparison(*found), is_paired=True)


def comparison(mean: float, standard_error: float, freedom: float) -> Comparison:
    """The t test of one difference, alone."""
    if standard_error == 0:  # nothing varies, so nothing is left to doubt
        p_value = float(mean == 0)
        return Comparison(mean, (mean, mean), p_value, p_value, 0.0, freedom)
    half = float(stdtrit(freedom, 1 - LEVEL / 2)) * standard_error
    p_value = 2 * float(stdtr(freedom, -abs(mean) / standard_error))
    return Comparison(mean, (mean - half, mean + half), p_value, p_value, standard_error, freedom)


def compare_all(
    samples: Sequence[Sequence[float]],
) -> dict[tuple[int, int], Comparison]:
    """All pairs that can be compared, by their places, adjusted for their number."""
    pairs = {
        (i, j): found
        for i, j in itertools.combinations(range(len(samples)), 2)
        if (found := compare(samples[i], samples[j])) is not None
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
