"""Why a trial failed, by kind; how often each kind is tried again is the ledger's to say."""

import re
from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """What went wrong, by what helps against it.

    Attributes:
        LOST: the worker or its node is gone, preempted or killed; the trial is not to blame.
        OUT_OF_MEMORY: the device or the host had too little memory.
        DIVERGED: a measurement was not finite; the same again would diverge again.
        RAISED: the trial raised something else.
        STUCK: nothing came from it for too long, so it was killed.
        INVALID: there is no such trial, or it ended without a result.
    """

    LOST = "lost"
    OUT_OF_MEMORY = "out of memory"
    DIVERGED = "diverged"
    RAISED = "exception"
    STUCK = "stuck"
    INVALID = "invalid"


# How often a trial is tried again. A loss is not the trial's fault, but something that kills its
# worker every time must end some day.
RETRIES = {
    FailureKind.LOST: 5,
    FailureKind.OUT_OF_MEMORY: 1,
    FailureKind.DIVERGED: 0,
    FailureKind.RAISED: 1,
    FailureKind.STUCK: 1,
    FailureKind.INVALID: 0,
}

_KINDS = {
    "DivergenceError": FailureKind.DIVERGED,
    "FloatingPointError": FailureKind.DIVERGED,
    "OutOfMemoryError": FailureKind.OUT_OF_MEMORY,
    "MemoryError": FailureKind.OUT_OF_MEMORY,
    "ActorDiedError": FailureKind.LOST,
    "ActorUnavailableError": FailureKind.LOST,
    "RayActorError": FailureKind.LOST,
    "WorkerCrashedError": FailureKind.LOST,
    "NodeDiedError": FailureKind.LOST,
}
_FULL_MEMORY = re.compile(
    r"CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|can't allocate memory|running low on memory",
    re.IGNORECASE,
)
# What Ray says of a dead actor where it names no error, as after the death of the driver's node.
_DEAD_ACTOR = re.compile(
    r"^The actor (?:died unexpectedly|is dead because)|^The worker died unexpectedly"
    r"|local raylet died|owner has died|node (?:has died|was preempted)",
    re.MULTILINE,
)
_RAISED = re.compile(r"^([\w.]*?)(\w+(?:Error|Exception|Interrupt|Exit))(?:: (.*))?$", re.M)


class NodeLostError(RuntimeError):
    """The node that all trials of a cluster of our own ran on is gone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: its kind, and in one line what happened."""

    kind: FailureKind
    reason: str


def failure_in(text: str) -> Failure:
    """The failure that a traceback or Ray's error file tells of.

    A full memory shows in several names and in messages, so it is looked for first. Then the
    names decide, the last one first: what was raised at last.
    """
    raised = [(name, message) for _, name, message in _RAISED.findall(text)]
    kinds = [_KINDS[name] for name, _ in reversed(raised) if name in _KINDS]
    reason = _reason(raised, text)
    if FailureKind.OUT_OF_MEMORY in kinds or _FULL_MEMORY.search(text):
        return Failure(FailureKind.OUT_OF_MEMORY, reason)
    if FailureKind.LOST in kinds or (not raised and _DEAD_ACTOR.search(text)):
        return Failure(FailureKind.LOST, "its worker process ended unexpectedly")
    if raised and raised[-1][0] in _KINDS:
        return Failure(_KINDS[raised[-1][0]], reason)
    return Failure(FailureKind.RAISED, reason)


def _reason(raised: list[tuple[str, str]], text: str) -> str:
    if raised:
        name, message = raised[-1]
        return f"{name}: {message}" if message else name
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
