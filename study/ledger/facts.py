"""What the ledger holds, as plain values for whoever only reads."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from optuna.storages import BaseStorage
from optuna.study import Study, get_all_study_names, load_study
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Stratum
from study.ledger.choice import Candidates, Choice, Slot
from study.ledger.phase import Phase, State
from study.ledger.question import check_version
from trainables.error import InputError

RUNG = "rung/"
TEST = "test/"
TEST_FAILURE = "test_failure/"
CONFIRM: Literal["confirm"] = "confirm"


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """One trial: see `study.record.TrialRecord` for what each field means."""

    phase: Phase
    stratum: Stratum
    number: int
    state: State
    params: dict[str, Any]
    value: float | None
    rungs: dict[int, float]
    decisions: dict[int, bool]
    config: dict[str, Any]
    reason: str
    attributes: dict[str, Any]
    started: float | None = field(default=None, compare=False)
    ended: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StratumFacts:
    """What is known of a stratum as a whole.

    Attributes:
        chosen: keys of the candidates whose seeds are tested; empty before the choice.
        chosen_by: by confirm trial's number, the criteria whose result its seed is part of; none
            for a seed that only chooses. Variants, and what an earlier version chose, have none.
        tests: result on the test split by confirm trial's number.
        retests: why another config was tested after one had been; empty where none was.
        retested: the criteria for which that was done.
    """

    chosen: tuple[str, ...] = ()
    chosen_by: dict[int, tuple[str, ...]] = field(default_factory=dict)
    tests: dict[int, dict[str, Any]] = field(default_factory=dict)
    retests: tuple[str, ...] = ()
    retested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """Everything that the ledger knows of one study."""

    trials: tuple[TrialFacts, ...]
    strata: dict[Stratum, StratumFacts]


def study_name(name: str, stratum: Stratum, phase: str) -> str:
    """Optuna's name of a stratum's search or confirm study."""
    return f"{name}/{stratum}" + (f"/{CONFIRM}" if phase == CONFIRM else "")


def read_facts(storage: BaseStorage, name: str) -> LedgerFacts:
    """The facts of the study with this name.

    Raises:
        InputError: the ledger holds no such study, or is of a newer program.
    """
    own = [n for n in get_all_study_names(storage) if n.startswith(f"{name}/")]
    if not own:
        raise InputError(f"the ledger holds no study {name!r}")
    trials: list[TrialFacts] = []
    strata: dict[Stratum, StratumFacts] = {}
    for full_name in own:
        study = load_study(study_name=full_name, storage=storage)
        check_version(study)
        text = full_name.removeprefix(f"{name}/")
        phase: Phase = CONFIRM if text.endswith(f"/{CONFIRM}") else "search"
        stratum = Stratum.parse(text.removesuffix(f"/{CONFIRM}"))
        strata.setdefault(stratum, StratumFacts())
        if phase == CONFIRM:
            strata[stratum] = _stratum_facts(study)
        trials += [
            trial_facts(phase, stratum, trial)
            for trial in study.get_trials(deepcopy=False)
            if trial.state != TrialState.WAITING
        ]
    return LedgerFacts(tuple(trials), strata)


def trial_facts(phase: Phase, stratum: Stratum, trial: FrozenTrial) -> TrialFacts:
    """One trial's facts."""
    attributes = dict(trial.user_attrs)
    rungs = {
        k.removeprefix(RUNG): attributes.pop(k) for k in list(attributes) if k.startswith(RUNG)
    }
    ordered = sorted((int(epoch), rung) for epoch, rung in rungs.items())
    return TrialFacts(
        phase=phase,
        stratum=stratum,
        number=trial.number,
        state=_state(trial),
        params=dict(trial.params),
        value=trial.value if trial.state == TrialState.COMPLETE else _last_rung(trial),
        rungs={epoch: rung["value"] for epoch, rung in ordered},
        decisions={epoch: rung["prune"] for epoch, rung in ordered},
        config=attributes.pop("config", {}),
        reason=attributes.pop("reason", ""),
        attributes=attributes,
        started=_unix_time(trial.datetime_start),
        ended=_unix_time(trial.datetime_complete),
    )


def _state(trial: FrozenTrial) -> State:
    state: State = trial.state.name  # type: ignore[assignment]  # optuna: an enum's name
    assert state in get_args(State)
    return state


def _unix_time(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _last_rung(trial: FrozenTrial) -> float | None:
    return None if trial.last_step is None else trial.intermediate_values[trial.last_step]


def _stratum_facts(study: Study) -> StratumFacts:
    attributes = study.user_attrs
    tests = {
        int(key.removeprefix(TEST)): value
        for key, value in attributes.items()
        if key.startswith(TEST)
    }
    choice = Choice.latest(attributes)
    chosen_by = _chosen_by(study, choice)
    if choice is None:
        return StratumFacts(chosen_by=chosen_by, tests=tests)
    return StratumFacts(choice.keys, chosen_by, tests, choice.retests, choice.retested)


def _chosen_by(study: Study, choice: Choice | None) -> dict[int, tuple[str, ...]]:
    planned = Candidates.latest(study.user_attrs)
    chooser = choice if choice and choice.by else planned if planned.pools else None
    if chooser is None:
        return {}
    slots = {trial.number: Slot.of(trial.user_attrs) for trial in study.get_trials(deepcopy=False)}
    return {number: chooser.criteria_of(slot) for number, slot in slots.items() if slot}
