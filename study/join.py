"""Records: what the ledger knows of each trial, beside what its own history holds."""

from collections.abc import Sequence
from pathlib import Path

from search_spaces import StudySpec
from study.layout import Layout, ledger_url
from study.ledger import Ledger, LedgerFacts, TrialFacts
from study.record import Cost, TestResult, TrialRecord
from trainables.checkpoint import HISTORY, newest_checkpoint, read_history
from trainables.measurement import Measurement


def join_records(layout: Layout) -> list[TrialRecord]:
    """All trials of a study, as they stand.

    Raises:
        InputError: there is no such study.
    """
    spec = layout.load_spec()
    facts = Ledger.read(ledger_url(layout), spec.name)
    return [_record(layout, spec, facts, trial) for trial in facts.trials]


def _record(layout: Layout, spec: StudySpec, facts: LedgerFacts, trial: TrialFacts) -> TrialRecord:
    path = Path("trials", trial.phase, str(trial.stratum), str(trial.number))
    checkpoint = newest_checkpoint(layout.study / path, only=HISTORY)
    measurements = read_history(checkpoint.folder) if checkpoint else []
    tests = facts.strata[trial.stratum].tests if trial.phase == "confirm" else {}
    test = tests.get(trial.number)
    slot = trial.attributes.get("slot")
    variant = {"variant": slot[0]} if slot and slot[0] in spec.variants else {}
    of_stratum = facts.strata[trial.stratum]
    is_again = bool(of_stratum.retests and slot and slot[0] in of_stratum.chosen)
    retests = {"retests": list(of_stratum.retests)} if is_again else {}
    return TrialRecord(
        phase=trial.phase,
        stratum=trial.stratum,
        number=trial.number,
        config=trial.config,
        measurements=tuple(measurements),
        state=trial.state,
        reason=trial.reason,
        cost=_cost(measurements, trial),
        rungs=trial.rungs,
        decisions=trial.decisions,
        value=trial.value,
        attributes=trial.attributes | variant | retests,
        test=TestResult(**test) if test else None,
        folder=str(checkpoint.folder.relative_to(layout.study)) if checkpoint else None,
        started=trial.started,
        ended=trial.ended,
    )


def _cost(measurements: Sequence[Measurement], trial: TrialFacts) -> Cost:
    """What the history says; without one, what the ledger was told at the trial's end."""
    if not measurements and "cost" in trial.attributes:
        return Cost(**trial.attributes["cost"])
    return Cost(len(measurements), sum(m.seconds for m in measurements))
