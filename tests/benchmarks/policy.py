"""How fair the policy is over a hundred seeds, beside one shared ASHA; prints a table.

Run: NUM_SEEDS=100 pytest -s tests/benchmarks/policy.py --timeout=0
"""

import os
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from tests.simulation import TABLE_1, Family
from tests.study.shared_asha import Outcome, by_strata, shared

NUM_SEEDS = int(os.environ.get("NUM_SEEDS", "100"))
CURVES: dict[str, dict[str, Family]] = {
    "noiseless": TABLE_1,
    "noise 2": {name: replace(family, noise=2.0) for name, family in TABLE_1.items()},
    "noise 10": {name: replace(family, noise=10.0) for name, family in TABLE_1.items()},
    "crossing": {name: replace(family, crossing=True) for name, family in TABLE_1.items()},
}


def test_policy() -> None:
    """For each kind of curves: median gap in epochs, share of epochs, survival of the best."""
    for name, families in CURVES.items():
        for policy, search in (("strata", by_strata), ("shared", shared)):
            outcomes = [search(seed, families) for seed in range(NUM_SEEDS)]
            gap = statistics.median(outcome.gap for outcome in outcomes)
            share = statistics.median(outcome.gap_share for outcome in outcomes)
            print(f"{name:9} {policy} median gap {gap:4.0f} epochs, {share:.0%} of all;", end=" ")
            print(_told(outcomes, families))


def _told(outcomes: list[Outcome], families: Mapping[str, Family]) -> str:
    epochs = sum((Counter(outcome.epochs) for outcome in outcomes), Counter())
    survivors = Counter(prior for outcome in outcomes for prior in outcome.survivors)
    return "  ".join(
        f"{prior} {epochs[prior] / epochs.total():.0%} of epochs,"
        f" best survives {survivors[prior] / len(outcomes):.0%}"
        for prior in families
    )
