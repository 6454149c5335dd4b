"""A stratum in the ledger: its two Optuna studies, what is left to do, and its trials' configs."""

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import Trial, TrialState

from search_spaces import Stratum, StudySpec
from study.ledger import confirm as confirming
from study.ledger.choice import FRESH, Candidates, Choice, Slot
from study.ledger.facts import CONFIRM, study_name
from study.ledger.pruning import Pruning, build_pruner
from study.ledger.question import keep_question
from study.ledger.sampling import build_sampler, suggest
from trainables.config import TrialConfig
from trainables.error import InputError
from trainables.seed import derive_seed
from trainables.suggestion import Suggestion


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One stratum of a study: search and confirm trials, each an Optuna study."""

    spec: StudySpec
    stratum: Stratum
    search: Study
    confirm: Study
    pruning: Pruning

    def study(self, phase: str) -> Study:
        """The Optuna study of a phase."""
        return self.confirm if phase == CONFIRM else self.search

    @property
    def search_left(self) -> int:
        """Trials that the search may still ask for; a retry is beyond the budget."""
        trials = self.search.get_trials(deepcopy=False)
        retries = sum("retry_of" in trial.user_attrs for trial in trials)
        asked = sum(trial.state != TrialState.WAITING for trial in trials)
        return self.spec.budget.trials_per_stratum + retries - asked

    @property
    def search_is_over(self) -> bool:
        """Whether every trial of the search has ended."""
        return self.search_left <= 0 and not num_trials(self.search, TrialState.RUNNING)

    @property
    def slots(self) -> list[Slot]:
        """Confirm trials that are due and not asked for yet; the choice is made when it is due.

        It is due when all seeds that may decide it have ended.
        """
        if not self.search_is_over:
            return []
        planned = confirming.candidates(self.spec, self.stratum, self.search, self.confirm)
        attributes, taken = self.confirm.user_attrs, self._taken_slots
        choice = confirming.standing_choice(self.spec, attributes)
        missing = confirming.missing_slots(self.spec, attributes, planned, choice, taken)
        if missing or self._num_unended:
            return missing
        choice = confirming.choose(self.spec, self.confirm, planned)
        return confirming.missing_slots(self.spec, attributes, planned, choice, taken)

    @property
    def _taken_slots(self) -> set[Slot | None]:
        trials = self.confirm.get_trials(deepcopy=False)
        return {Slot.of(trial.user_attrs) for trial in trials}

    @property
    def confirm_is_over(self) -> bool:
        """Whether every confirm trial that is due has ended."""
        return self.search_is_over and not self.slots and not self._num_unended

    @property
    def _num_unended(self) -> int:
        return num_trials(self.confirm, TrialState.RUNNING, TrialState.WAITING)

    @property
    def untested(self) -> list[int]:
        """Confirm trials whose look at the test split is due."""
        if not self.confirm_is_over:
            return []
        choice = confirming.standing_choice(self.spec, self.confirm.user_attrs)
        return confirming.untested(self.confirm, choice)

    def ask_confirm(self) -> Trial | None:
        """The next confirm trial: a retry that waits, or the first missing slot."""
        if num_trials(self.confirm, TrialState.WAITING):
            return self.confirm.ask()
        slots = self.slots
        if not slots:
            return None
        trial = self.confirm.ask()
        trial.set_user_attr("slot", slots[0].stored())
        return trial

    def config(self, phase: str, trial: Trial) -> TrialConfig:
        """The trial's config; made now, and stored last, where the trial has none.

        Raises:
            ValidationError: what was suggested makes no valid config.
        """
        stored = trial.user_attrs.get("config")
        if stored is not None:
            return TrialConfig.from_stored(stored)
        confirming_now = phase == CONFIRM
        overrides = self._confirm_overrides(trial) if confirming_now else self._suggest(trial)
        length = self.spec.confirm.max_epochs if confirming_now else None
        max_epochs = length or self.spec.budget.max_epochs
        config = self.spec.trial_config(
            self.stratum,
            overrides,
            seed=derive_seed(self.spec.seed, phase, self.stratum, *_draw(phase, trial)),
            max_epochs=max_epochs,
            rungs=[rung for rung in self.spec.budget.rungs if rung < max_epochs],
        )
        trial.set_user_attr("config", config.model_dump(mode="json"))
        return config

    def test_suggestion(self, number: int) -> Suggestion:
        """The look at the test split of a confirm trial."""
        stored = self.confirm.get_trials(deepcopy=False)[number].user_attrs["config"]
        config = TrialConfig.from_stored(stored)
        return Suggestion(
            phase="test", stratum=str(self.stratum), number=number, attempt=0, config=config
        )

    def _suggest(self, trial: Trial) -> dict[str, Any]:
        trial.set_user_attr("control", self._is_control(trial.number))
        domains = self.spec.domains_of(self.stratum)
        seed_parts = (self.spec.seed, self.stratum, trial.number)
        drawn = suggest(self.search, trial, domains, self._sampler, seed_parts)
        return {**trial.user_attrs.get("overrides", {}), **drawn}

    def enqueue(self, params: dict[str, Any], overrides: dict[str, Any]) -> bool:
        """A trial to be asked for next, within the budget; False where it was enqueued before.

        Raises:
            InputError: the budget is spent.
        """
        wish = {"params": params, "overrides": overrides}
        trials = self.search.get_trials(deepcopy=False)
        if any(trial.user_attrs.get("enqueued") == wish for trial in trials):
            return False
        if self.search_left <= num_trials(self.search, TrialState.WAITING):
            raise InputError(
                f"the budget of {self.stratum} is spent, so nothing more can be tried there; raise"
                " budget.trials_per_stratum"
            )
        attributes = {"enqueued": wish, "overrides": overrides}
        self.search.enqueue_trial(params, user_attrs=attributes)
        return True

    def _sampler(self, seed: int) -> BaseSampler:
        return build_sampler(self.spec.search.sampler, self.spec.budget.trials_per_stratum, seed)

    def _confirm_overrides(self, trial: Trial) -> dict[str, Any]:
        if "slot" not in trial.user_attrs:  # killed between being asked and getting its slot
            trial.set_user_attr("slot", (self.slots or self._slots_before)[0].stored())
        slot = Slot.of(trial.user_attrs)
        assert slot is not None
        return Candidates.latest(self.confirm.user_attrs).configs[slot.key]

    @property
    def _slots_before(self) -> list[Slot]:
        """Slots that were missing before the search was extended."""
        attributes = self.confirm.user_attrs
        planned, choice = Candidates.latest(attributes), Choice.latest(attributes)
        taken = self._taken_slots
        return confirming.missing_slots(self.spec, attributes, planned, choice, taken)

    def _is_control(self, number: int) -> bool:
        """Whether a trial is never stopped: one of every 1/share, at a seeded place."""
        share, budget = self.spec.budget.control_share, self.spec.budget.trials_per_stratum
        if share == 0:
            return False
        period = round(1 / share)
        place = derive_seed(self.spec.seed, "control", self.stratum) % min(period, max(1, budget))
        return number % period == place


def _draw(phase: str, trial: Trial) -> tuple[object, ...]:
    """What tells a trial's seed from others of its phase and stratum.

    Configs that are confirmed beside each other share their seeds, so that what differs between
    them is the config. Seeds that are trained to be tested are others than those that chose, and
    a retry draws anew.
    """
    if phase != CONFIRM:
        return (trial.number,)
    if "retry_of" in trial.user_attrs:
        return "retry", trial.number
    slot = Slot.of(trial.user_attrs)
    assert slot is not None
    return (FRESH, slot.replicate) if slot.is_fresh else (slot.replicate,)


def open_cell(spec: StudySpec, stratum: Stratum, storage: BaseStorage) -> Cell:
    """The stratum's studies, made where they do not exist.

    Raises:
        InputError: they are there, and answer another question.
    """
    pruner = build_pruner(spec.search.pruner, spec.budget)
    search = _open_study(study_name(spec.name, stratum, "search"), storage, pruner)
    keep_question(spec, search)
    confirm = _open_study(study_name(spec.name, stratum, CONFIRM), storage, NopPruner())
    return Cell(spec, stratum, search, confirm, Pruning(spec.budget, search))


def num_trials(study: Study, *states: TrialState) -> int:
    """Trials in any of these states."""
    return len(study.get_trials(deepcopy=False, states=states))


def _open_study(name: str, storage: BaseStorage, pruner: BasePruner) -> Study:
    # Looked up first: asked to create what exists, Optuna writes a line into the journal again.
    if name in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return optuna.create_study(
        study_name=name, storage=storage, direction="minimize", pruner=pruner
    )
