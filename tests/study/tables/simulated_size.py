"""How often tables and claims are wrong, over studies in which nothing that they name is true.

    fid = truth of the cell + training seed, N(0, 3.8²) + draw of samples, N(0, 1.5²)

Each seed has a draw of its own. Where all seeds of a cell share one draw, as they did before
scores drew from the trial's seed, it is in no deviation over seeds and does not average out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from study.tables.comparison import (
    UNDECIDED,
    Comparison,
    Difference,
    adjusted,
    comparison,
    paired,
    welch,
)
from study.tables.decision import (
    decide_best,
    decide_equivalence,
    decide_monotone,
    decide_order,
    paid_for_choice,
)

NUM_SEEDS = (3, 5, 10, 20)
BOUND = 20.0
FAR = 100.0  # a difference that every test finds
Samples = NDArray[np.float64]  # studies, cells, seeds
Places = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations: over training seeds and over draws of samples.

    `common` is the part of a training seed that all cells share, as configs of one stratum do.
    """

    seed: float = 3.8
    draw: float = 1.5
    is_shared: bool = False
    common: float = 0.0

    def samples(self, truth: Sequence[float], num_seeds: int, num_studies: int) -> Samples:
        """What each study measures of each cell and seed."""
        rng = np.random.default_rng(num_seeds)
        shape = (num_studies, len(truth), num_seeds)
        draws = rng.normal(0, self.draw, shape[:2] + ((1,) if self.is_shared else (num_seeds,)))
        common = rng.normal(0, self.common, (num_studies, 1, num_seeds))
        return np.asarray(truth)[:, None] + rng.normal(0, self.seed, shape) + draws + common


FID = Noise()
# A bound in nats: over seeds, and what the draws of its evaluation leave.
ELBO = Noise(seed=0.7, draw=0.28)
ONE_STRATUM = Noise(seed=2.7, draw=1.5, common=2.7)


@dataclass(frozen=True, slots=True)
class Case:
    """A truth, and verdicts that would be wrong about it.

    Attributes:
        truth: of each cell.
        decide: verdicts on samples, study by study.
        wrong: which of them are wrong.
        noise: of the samples.
    """

    truth: tuple[float, ...]
    decide: Callable[[Samples], Iterator[str]]
    wrong: tuple[str, ...]
    noise: Noise = FID

    def size(self, num_seeds: int, num_studies: int) -> float:
        """The share of studies with a wrong verdict."""
        samples = self.noise.samples(self.truth, num_seeds, num_studies)
        return sum(found in self.wrong for found in self.decide(samples)) / num_studies


def _differences(
    samples: Samples, places: Places, test: Callable[..., Difference] = welch
) -> Iterator[list[Comparison]]:
    """For each study, the comparisons of these cells."""
    first, second = (samples[:, list(side)] for side in zip(*places, strict=True))
    for study in zip(*(part.tolist() for part in test(first, second)), strict=True):
        yield [comparison(*values) for values in zip(*study, strict=True)]


def _one(samples: Samples) -> Iterator[str]:
    return (found.verdict for (found,) in _differences(samples, [(0, 1)]))


def _in_pairs(samples: Samples) -> Iterator[str]:
    return (found.verdict for (found,) in _differences(samples, [(0, 1)], paired))


def _together(places: Places) -> Callable[[Samples], Iterator[str]]:
    """Any verdict among comparisons that are made together."""

    def decide(samples: Samples) -> Iterator[str]:
        for comparisons in _differences(samples, places):
            verdicts = {found.verdict for found in adjusted(comparisons)} - {UNDECIDED}
            yield "called" if verdicts else UNDECIDED

    return decide


def _order(samples: Samples) -> Iterator[str]:
    """Of three priors at each of three latent sizes."""
    places = [(3 * size + n, 3 * size + n + 1) for size in range(3) for n in range(2)]
    return (decide_order(adjusted(found)) for found in _differences(samples, places))


def _equivalent(samples: Samples) -> Iterator[str]:
    places = [
        (3 * size + a, 3 * size + b) for size in range(3) for a, b in combinations(range(3), 2)
    ]
    return (decide_equivalence(found, BOUND) for found in _differences(samples, places))


def _not_monotone(samples: Samples) -> Iterator[str]:
    places = [(n + 1, n) for n in range(samples.shape[1] - 1)]
    return (decide_monotone(adjusted(found)) for found in _differences(samples, places))


def _best(samples: Samples) -> Iterator[str]:
    """The first three cells are the prior's, the other six those of two others."""
    places = list(product(range(3), range(3, 9)))
    for found in _differences(samples, places):
        yield decide_best(paid_for_choice([found[n : n + 6] for n in range(0, 18, 6)]))


_CALLED = ("lower", "higher", "called")
_COLUMN = list(combinations(range(3), 2))
_BEST_ALONE = (0.0, FAR, FAR)  # one good cell, so that nothing was chosen
CASES: dict[str, Case] = {
    "two priors": Case((0.0, 0.0), _one, _CALLED),
    "a column": Case((0.0,) * 3, _together(_COLUMN), _CALLED),
    "two studies": Case((0.0,) * 12, _together([(n, n + 6) for n in range(6)]), _CALLED),
    "two priors, ELBO": Case((0.0, 0.0), _one, _CALLED, ELBO),
    "a column, ELBO": Case((0.0,) * 3, _together(_COLUMN), _CALLED, ELBO),
    "two variants in pairs": Case((0.0, 0.0), _in_pairs, _CALLED, ONE_STRATUM),
    "order holds": Case((0.0, 0.0, FAR) + (0.0, FAR, 2 * FAR) * 2, _order, ("holds",)),
    "order fails": Case((0.0,) * 9, _order, ("holds", "fails")),
    "equivalent holds": Case((0.0, BOUND / 2, BOUND) + (0.0,) * 6, _equivalent, ("holds",)),
    "equivalent fails": Case((0.0, BOUND, 0.0) * 3, _equivalent, ("fails",)),
    "not_monotone holds": Case((FAR, 0.0, 0.0, 0.0), _not_monotone, ("holds",)),
    "not_monotone of nothing": Case((0.0,) * 4, _not_monotone, ("holds", "fails")),
    "not_monotone fails": Case((FAR, 0.0, 0.0), _not_monotone, ("fails",)),
    "best holds": Case((0.0,) * 3 + _BEST_ALONE + (FAR,) * 3, _best, ("holds",)),
    "best fails": Case(_BEST_ALONE + (0.0,) * 6, _best, ("fails",)),
    "best of equals": Case((0.0,) * 9, _best, ("holds", "fails")),
}
# What the tests must be able to see: Welch's test with one draw for all seeds of a cell.
FAULTS: dict[str, Case] = {
    "two priors, one draw a cell": Case((0.0, 0.0), _one, _CALLED, Noise(is_shared=True)),
    "two priors, 1.5 in the difference": Case(
        (0.0, 0.0), _one, _CALLED, Noise(draw=1.5 / 2**0.5, is_shared=True)
    ),
    "two priors, ELBO, one draw a cell": Case(
        (0.0, 0.0), _one, _CALLED, Noise(seed=0.7, draw=0.28, is_shared=True)
    ),
}
