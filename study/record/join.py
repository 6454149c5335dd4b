"""Records: what the ledger knows of each trial, beside what its own history holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search_spaces import StudySpec
from study.ledger import Ledger, LedgerFacts, StratumFacts, TrialFacts
from study.record.trial import Cost, TestResult, TrialRecord
from study.storage.layout import Layout, ledger_url, open_layout
from trainables.checkpoint import HISTORY, newest_checkpoint, read_history
from trainables.measurement import Measurement


def load_records(storage: str | Path, study: str) -> list[TrialRecord]:
    """All trials of a study, as they stand: ledger facts joined with histories.

    Args:
        storage: the folder that holds the study's.
        study: its name.

    Raises:
        InputError: there is no such study.
    """
    return join_records(open_layout(storage, study))


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
    known = facts.strata[trial.stratum]
    test = known.tests.get(trial.number) if trial.phase == "confirm" else None
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
        attributes=trial.attributes | _place(spec, known, trial),
        test=TestResult(**test) if test else None,
        folder=str(checkpoint.folder.relative_to(layout.study)) if checkpoint else None,
        started=trial.started,
        ended=trial.ended,
    )


def _place(spec: StudySpec, known: StratumFacts, trial: TrialFacts) -> dict[str, Any]:
    """What a confirm trial is to its stratum: which variant, or whose choice, and why again."""
    slot = trial.attributes.get("slot")
    if not slot:
        return {}
    if slot[0] in spec.variants:
        return {"variant": slot[0]}
    found = known.chosen_by.get(trial.number)
    if found is None and known.chosen:  # an earlier version chose
        found = ("fid",) if slot[0] in known.chosen else ()
    if found is None:
        return {}
    chosen_by = [criterion for criterion in spec.confirm.by if criterion in found]
    is_again = known.retests and set(chosen_by) & set(known.retested or chosen_by)
    return {"chosen_by": chosen_by} | ({"retests": list(known.retests)} if is_again else {})


def _cost(measurements: Sequence[Measurement], trial: TrialFacts) -> Cost:
    """What the history says; without one, what the ledger was told at the trial's end."""
    if not measurements and "cost" in trial.attributes:
        return Cost(**trial.attributes["cost"])
    return Cost(len(measurements), sum(m.seconds for m in measurements))
