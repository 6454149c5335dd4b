"""Where the mean of further seeds may lie, from the seeds that are known.

mean of n values        m ± t(n-1) s √(1/n)           confidence interval
mean of k further ones  m ± t(n-1) s √(1/n + 1/k)     prediction interval
"""

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t as student_t

LEVEL = 0.95


def confidence_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % t interval of the mean; None below two values."""
    return _interval(values, 1 / len(values))


def prediction_interval(values: Sequence[float], num_further: int) -> tuple[float, float] | None:
    """Where the mean of so many further values lies with 95 %; None below two values."""
    return _interval(values, 1 / len(values) + 1 / num_further)


def _interval(values: Sequence[float], variance_factor: float) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    quantile = float(student_t.ppf((1 + LEVEL) / 2, len(values) - 1))
    half = quantile * statistics.stdev(values) * math.sqrt(variance_factor)
    mean = statistics.fmean(values)
    return mean - half, mean + half
