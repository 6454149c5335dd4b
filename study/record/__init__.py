"""What is known of a trial: the ledger's facts joined with the trial's own history."""

from typing import TYPE_CHECKING, Any

from study.record.trial import (
    BOUND_PARTS,
    FID_PARTS,
    TEST_PARTS,
    Cost,
    TestResult,
    TrialRecord,
)
from trainables.face import attribute

if TYPE_CHECKING:
    from study.record.join import load_records as load_records

__all__ = [
    "BOUND_PARTS", "FID_PARTS", "TEST_PARTS", "Cost", "TestResult", "TrialRecord", "load_records",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """`load_records` reads the ledger, which loads Optuna."""
    return attribute(__name__, name, {"load_records": "join"})
