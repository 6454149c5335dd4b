"""An issue: one trial on its way to a worker, under one attempt."""

from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import Trial
from pydantic import ValidationError

from study.ledger.cell import Cell
from study.ledger.ending import FAILURES, tell
from study.ledger.facts import RUNG
from study.ledger.failure import Failure, FailureKind
from trainables.suggestion import Suggestion

TrialPhase = Literal["search", "confirm"]


@dataclass(frozen=True, slots=True)
class Issue:
    """A suggestion under way, and the trial behind it (none behind a test)."""

    cell: Cell
    suggestion: Suggestion
    trial: Trial | None

    @property
    def resource_factor(self) -> int:
        """How many times a trial's resources this issue takes: twice after a full memory."""
        failures: list[dict[str, Any]] = (
            self.trial.user_attrs.get(FAILURES, []) if self.trial else []
        )
        return 2 if any(f["kind"] == FailureKind.OUT_OF_MEMORY for f in failures) else 1


def begin(cell: Cell, phase: TrialPhase, trial: Trial) -> Issue | None:
    """The next issue of a trial, its attempt raised.

    None where the trial ended before it began: decided earlier, or no valid config.
    """
    pruned = [k for k, v in trial.user_attrs.items() if k.startswith(RUNG) and v["prune"]]
    if pruned:
        tell(cell.study(phase), trial, "PRUNED", pruned_at(pruned[0]))
        return None
    attempt = trial.user_attrs.get("attempt", 0) + 1
    trial.set_user_attr("attempt", attempt)
    try:
        config = cell.config(phase, trial)
    except ValidationError as error:
        failure = Failure(FailureKind.INVALID, f"no valid config: {error}")
        tell(cell.study(phase), trial, "FAIL", failure=failure)
        return None
    suggestion = Suggestion(
        phase=phase,
        stratum=str(cell.stratum),
        number=trial.number,
        attempt=attempt,
        config=config,
    )
    return Issue(cell, suggestion, trial)


def pruned_at(rung: int | str) -> str:
    """The reason of a pruned trial, from its rung's epoch or attribute."""
    return f"pruned at epoch {str(rung).removeprefix(RUNG)}"
