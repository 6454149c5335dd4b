"""How a trial ends: its final state, or another attempt as far as its failure's kind allows."""

from collections import Counter
from typing import Literal, NamedTuple

from optuna.study import Study
from optuna.trial import Trial, TrialState

from study.ledger.choice import BEST_ELBO
from study.ledger.failure import RETRIES, Failure, FailureKind

FAILURES = "failures"
_KEPT: tuple[str, ...] = ("slot", "overrides")  # what makes a trial the one it is
Ending = Literal["COMPLETE", "PRUNED", "FAIL", "LOST"]


class Ended(NamedTuple):
    """How an issue ended in the ledger.

    Attributes:
        state: LOST where it is to be issued again, TESTED for a test, else its final state.
        reason: one sentence, as the ledger keeps it; empty where there is nothing to say.
        failure: the kind of failure; empty where it did not fail.
    """

    state: Ending | Literal["TESTED"]
    reason: str = ""
    failure: str = ""


def tell(
    study: Study,
    trial: Trial,
    state: Ending,
    reason: str = "",
    *,
    failure: Failure | None = None,
    cost: dict[str, float] | None = None,
    best_elbo: float | None = None,
) -> Ended:
    """Writes a trial's final state, and just before it what it reached, took, and why it ended.

    COMPLETE without a FID at the last epoch is a FAIL.
    """
    value = None
    if state == "COMPLETE":
        last = trial.user_attrs["config"]["max_epochs"]
        value = study._storage.get_trial(trial._trial_id).intermediate_values.get(last)
        if value is None:
            why = f"it ended without a FID at its last epoch, {last}"
            state, failure = "FAIL", Failure(FailureKind.INVALID, why)
    kind = ""
    if failure is not None:
        reason, kind = failure.reason, str(failure.kind)
        trial.set_user_attr("failure", kind)
    if best_elbo is not None:
        trial.set_user_attr(BEST_ELBO, best_elbo)
    if reason:
        trial.set_user_attr("reason", reason)
    if cost is not None:
        trial.set_user_attr("cost", cost)
    study.tell(trial, value, state=TrialState[state])
    return Ended(state, reason, kind)


def take_back(
    study: Study, trial: Trial, failure: Failure, cost: dict[str, float] | None
) -> Ended:
    """Remembers a failed attempt: LOST where the trial is to be issued again, else its FAIL."""
    attempt = trial.user_attrs.get("attempt", 0)
    told = {"kind": str(failure.kind), "reason": failure.reason, "attempt": attempt}
    failures = [*trial.user_attrs.get(FAILURES, []), told]
    trial.set_user_attr(FAILURES, failures)
    num_times = Counter(known["kind"] for known in failures)[failure.kind]
    if num_times <= RETRIES[failure.kind]:
        return Ended("LOST", failure.reason, str(failure.kind))
    if num_times > 1:
        failure = Failure(failure.kind, f"{failure.kind} {num_times} times: {failure.reason}")
    return tell(study, trial, "FAIL", failure=failure, cost=cost)


def retry_failed(study: Study) -> int:
    """Enqueues a new number, beyond the budget, for every FAIL not retried yet; how many."""
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    failed = [t for t in trials if t.state == TrialState.FAIL and t.number not in retried]
    for trial in failed:
        attributes = trial.user_attrs
        kept = {name: attributes[name] for name in _KEPT if name in attributes}
        retry = {"retry_of": trial.number, **kept}
        study.enqueue_trial(dict(trial.params), user_attrs=retry)
    return len(failed)
