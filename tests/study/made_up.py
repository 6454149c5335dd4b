"""Tested confirm seeds that nobody trained, number by number."""

from collections.abc import Sequence
from typing import Any

from search_spaces import Stratum
from study.record import Cost, TestResult, TrialRecord


def confirm_seeds(
    stratum: Stratum,
    fids: Sequence[float],
    *,
    slot: str = "search-0",
    attributes: dict[str, Any] | None = None,
    **parts: Any,
) -> list[TrialRecord]:
    """One confirm trial for each test FID.

    Args:
        stratum: theirs.
        fids: their test FIDs; their mean is the validation FID of all.
        slot: the key of their config.
        attributes: more of them.
        parts: of the test results; a list has one value for each seed.
    """
    return [
        TrialRecord(
            "confirm", stratum, number, {"seed": number}, (), "COMPLETE", "", Cost(1, 1.0),
            value=sum(fids) / len(fids),
            attributes={"slot": [slot, number]} | (attributes or {}),
            test=TestResult(fid, 400.0, {"features": "made up"}, **_of_seed(parts, number)),
        )
        for number, fid in enumerate(fids)
    ]  # fmt: skip


def _of_seed(parts: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        name: value[number] if isinstance(value, list) else value for name, value in parts.items()
    }
