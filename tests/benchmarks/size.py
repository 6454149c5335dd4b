"""How often tables and claims are wrong at 5 %, by the number of seeds; prints a table.

Run: NUM_STUDIES=20000 pytest -s tests/benchmarks/size.py --timeout=0
"""

import os
from collections.abc import Mapping

from tests.study.tables.simulated_size import CASES, FAULTS, NUM_SEEDS, Case

NUM_STUDIES = int(os.environ.get("NUM_STUDIES", "4000"))


def test_size() -> None:
    """The share of wrong verdicts of each comparison and claim, then what a shared draw costs."""
    print(f"\n{'per cent of studies':36}", *(f"{num:4} seeds" for num in NUM_SEEDS))
    _tell(CASES)
    _tell(FAULTS)


def _tell(cases: Mapping[str, Case]) -> None:
    for name, case in cases.items():
        sizes = [case.size(num_seeds, NUM_STUDIES) for num_seeds in NUM_SEEDS]
        print(f"{name:36}", *(f"{size:10.1%}" for size in sizes))
