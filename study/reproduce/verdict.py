"""Obtained against promised: equal to the digit, within the interval, or not reproduced.

Equal seeds in an equal environment promise every digit. Other seeds, or another device, CPU model,
number of threads or version, promise a mean test FID inside the prediction interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from study.storage.environment import Environment
from study.tables.interval import prediction_interval

Verdict = Literal["equal", "within", "not reproduced"]
# `Environment.first_difference` names the commit last, so nothing else differs there.
_ONLY_THE_COMMIT = "commit: "


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of running a row again.

    Attributes:
        verdict: equal to the last digit, within the interval, or not reproduced.
        reason: a sentence, with the first field that differs where there is one.
    """

    verdict: Verdict
    reason: str

    @property
    def is_reproduced(self) -> bool:
        """Whether the promise was kept."""
        return self.verdict != "not reproduced"


@dataclass(frozen=True, slots=True)
class Obtained:
    """One seed, run again.

    Attributes:
        seed: the trial's.
        numbers: by name, as in `Export.promises`.
        protocol: of its test FID, by field.
        environment: what it was run with.
    """

    seed: int
    numbers: Mapping[str, float]
    protocol: Mapping[str, Any]
    environment: Environment


@dataclass(frozen=True, slots=True)
class Promise:
    """What an exported row says of its seeds.

    Attributes:
        numbers: of each seed by name, the test FID first.
        protocol: of the test FIDs, by field.
        environment: what they were obtained with.
    """

    numbers: Mapping[int, Mapping[str, float]]
    protocol: Mapping[str, Any]
    environment: Environment

    @property
    def test_fids(self) -> list[float]:
        """One a seed; lower is better."""
        return [numbers["test_fid"] for numbers in self.numbers.values()]


def judge_protocol(promise: Promise, protocol: Mapping[str, Any]) -> Judgement | None:
    """What another FID protocol than the promised one comes to; None where it is the same."""
    field = _first_difference(promise.protocol, protocol)
    if field is None:
        return None
    return Judgement("not reproduced", f"the FID was measured in another way: {field}")


def judge(promise: Promise, obtained: Sequence[Obtained]) -> Judgement:
    """Whether what was obtained is what was promised."""
    for one in obtained:
        other_protocol = judge_protocol(promise, one.protocol)
        if other_protocol is not None:
            return other_protocol
    are_same_seeds = all(one.seed in promise.numbers for one in obtained)
    number = _first_number(promise, obtained) if are_same_seeds else None
    if are_same_seeds and number is None:
        return Judgement("equal", "every number of every seed is equal to the last digit")
    other = promise.environment.first_difference(obtained[0].environment)
    if are_same_seeds and (other is None or other.startswith(_ONLY_THE_COMMIT)):
        where = "in an equal environment" if other is None else f"and so does {other}"
        return Judgement("not reproduced", f"{number}, {where}")
    return _judge_by_interval(promise, obtained, other)


def _judge_by_interval(
    promise: Promise, obtained: Sequence[Obtained], other: str | None
) -> Judgement:
    fids = [one.numbers["test_fid"] for one in obtained]
    mean = sum(fids) / len(fids)
    interval = prediction_interval(promise.test_fids, len(fids))
    why = f"; the environments differ: {other}" if other else ""
    if interval is None:
        return Judgement(
            "not reproduced",
            f"the one seed that was promised has no interval, and its numbers differ{why}",
        )
    low, high = interval
    told = f"the mean test FID of {len(fids)} seed(s), {mean:.6g}, is"
    where = f"the 95 % prediction interval {low:.6g} to {high:.6g}{why}"
    if low <= mean <= high:
        return Judgement("within", f"{told} inside {where}")
    return Judgement("not reproduced", f"{told} outside {where}")


def _first_number(promise: Promise, obtained: Sequence[Obtained]) -> str | None:
    """The first number that differs, with both values."""
    for one in obtained:
        difference = _first_difference(promise.numbers[one.seed], one.numbers)
        if difference is not None:
            return f"seed {one.seed} differs in {difference}"
    return None


def _first_difference(promised: Mapping[str, Any], obtained: Mapping[str, Any]) -> str | None:
    """The first promised field that differs; what was not promised cannot be broken."""
    for name, value in promised.items():
        if obtained.get(name) != value:
            return f"{name}: promised {value!r}, obtained {obtained.get(name)!r}"
    return None
