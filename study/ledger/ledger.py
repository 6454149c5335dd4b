"""The ledger: one policy object that decides, and writes down before it acts.

Each stratum is an Optuna study of its own (sampler, pruner, budget), and one more for its confirm
phase. `next`, `report` and `close` are idempotent by (phase, stratum, number, epoch), so that a
restart may say everything again. What a trial's attributes hold, in the order of writing:

    attempt        raised with each issue; results of a lower one are ignored
    config         the full config, written last of an ask: without it the trial is asked again
    rung/<epoch>   the value at a rung and the decision taken there, before it is acted on
    reason, cost   why it ended and what it took, just before its final state
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState
from pydantic import ValidationError

from search_spaces import StudySpec
from study.ledger.cell import Cell, open_cell
from study.ledger.facts import CONFIRM, RUNG, TEST, TEST_FAILURE, LedgerFacts, read_facts
from study.ledger.storage import open_for_reading, open_storage
from trainables.suggestion import Suggestion

LOSSES_ALLOWED = 5
Ending = Literal["COMPLETE", "PRUNED", "FAIL", "LOST"]


@dataclass(frozen=True, slots=True)
class _Issue:
    """A suggestion under way, and the trial behind it (none behind a test)."""

    cell: Cell
    suggestion: Suggestion
    trial: Trial | None


class Ledger:
    """Decides what runs next, what goes on and what is remembered, for all strata of a study."""

    def __init__(self, spec: StudySpec, url: str) -> None:
        """Opens or makes the ledger of a study; only the driver may, which holds its lock.

        Args:
            spec: the question.
            url: see `study.ledger.storage.open_storage`.

        Raises:
            InputError: the ledger cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.spec = spec
        self._storage = open_storage(url)
        self._cells = [open_cell(spec, stratum, self._storage) for stratum in spec.cells()]
        self._issued: dict[str, _Issue] = {}
        self._failed_tests: set[str] = set()
        self._lost_tests: Counter[str] = Counter()
        self._unfinished = deque(self._left_running())

    @classmethod
    def read(cls, url: str, study: str) -> LedgerFacts:
        """The facts of a study; never writes nor creates a file.

        Raises:
            InputError: there is no such ledger, or no such study in it.
        """
        return read_facts(open_for_reading(url), study)

    def facts(self) -> LedgerFacts:
        """The facts as they stand."""
        return read_facts(self._storage, self.spec.name)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to issue and nothing is under way."""
        if self._issued or self._unfinished:
            return False
        return all(cell.confirm_is_over and not self._due_tests(cell) for cell in self._cells)

    def next(self, ray_trial_id: str) -> Suggestion | None:
        """The next trial to run: those left unfinished first, then search, confirm, test.

        None where nothing can be issued now; it may be later, when what runs has ended.
        """
        if ray_trial_id in self._issued:
            return self._issued[ray_trial_id].suggestion
        issue = self._next_unfinished() or self._next_search()
        issue = issue or self._next_confirm() or self._next_test()
        if issue is None:
            return None
        self._issued[ray_trial_id] = issue
        return issue.suggestion

    def report(self, ray_trial_id: str, epoch: int, fid: float) -> bool:
        """Takes the validation FID of a rung (lower is better); True where the trial must stop.

        A rung that was reported before gets the decision that was taken then.
        """
        issue = self._issued.get(ray_trial_id)
        if issue is None or issue.trial is None:
            return False
        trial, config = issue.trial, issue.suggestion.config
        known = trial.user_attrs.get(f"{RUNG}{epoch}")
        if known is not None:
            return bool(known["prune"])
        if epoch not in self._values(trial):
            trial.report(fid, epoch)
        prune = epoch < config.max_epochs and self._prunes(issue, trial, epoch)
        value = self._values(trial)[epoch]
        trial.set_user_attr(f"{RUNG}{epoch}", {"value": value, "prune": prune})
        return prune

    def close(
        self,
        ray_trial_id: str,
        state: Ending,
        reason: str = "",
        *,
        cost: dict[str, float] | None = None,
        test: dict[str, Any] | None = None,
    ) -> Ending:
        """Ends an issue: the trial's final state, or LOST, after which it is issued again.

        Args:
            ray_trial_id: as given to `next`; unknown ones are ignored.
            state: how it ended.
            reason: one sentence, kept with the trial.
            cost: epochs and seconds that the trial took.
            test: the result on the test split, where that was issued.

        Returns:
            How it ended in the ledger: a trial that is lost too often, or COMPLETE without its
            last FID, is a FAIL.
        """
        issue = self._issued.pop(ray_trial_id, None)
        if issue is None:
            return state
        if issue.trial is None:
            return self._close_test(issue, state, reason, test)
        if state == "LOST":
            return self._take_back(issue, issue.trial, reason)
        return self._tell(issue.cell, issue.suggestion.phase, issue.trial, state, reason, cost)

    def note(self, ray_trial_id: str, name: str, value: Any) -> None:
        """Keeps a fact with a running trial, such as its MLflow run."""
        issue = self._issued.get(ray_trial_id)
        if issue is not None and issue.trial is not None:
            issue.trial.set_user_attr(name, value)

    def retry_failed(self) -> int:
        """Asks for a new number, beyond the budget, for every FAIL not retried yet."""
        studies = [study for cell in self._cells for study in (cell.search, cell.confirm)]
        return sum(_retry_failed(study) for study in studies)

    def add_confirm_seeds(self, num_seeds: int) -> None:
        """More seeds for the configs that stand, in every stratum."""
        for cell in self._cells:
            extra = cell.confirm.user_attrs.get("extra_seeds", 0)
            cell.confirm.set_user_attr("extra_seeds", extra + num_seeds)

    # What comes next

    def _next_unfinished(self) -> _Issue | None:
        while self._unfinished:
            issue = self._issue(*self._unfinished.popleft())
            if issue is not None:
                return issue
        return None

    def _next_search(self) -> _Issue | None:
        """A trial of the stratum that is furthest behind its budget."""
        while True:
            cell = max(self._cells, key=lambda cell: cell.search_left)
            if cell.search_left <= 0:
                return None
            issue = self._issue(cell, "search", cell.search.ask())
            if issue is not None:
                return issue

    def _next_confirm(self) -> _Issue | None:
        for cell in self._cells:
            while (trial := cell.ask_confirm()) is not None:
                issue = self._issue(cell, "confirm", trial)
                if issue is not None:
                    return issue
        return None

    def _next_test(self) -> _Issue | None:
        under_way = {i.suggestion.key for i in self._issued.values() if i.trial is None}
        for cell in self._cells:
            for suggestion in self._due_tests(cell):
                if suggestion.key not in under_way:
                    return _Issue(cell, suggestion, None)
        return None

    def _due_tests(self, cell: Cell) -> list[Suggestion]:
        """Looks at the test split that are due and were not given up in this process."""
        due = map(cell.test_suggestion, cell.untested)
        return [suggestion for suggestion in due if suggestion.key not in self._failed_tests]

    def _issue(
        self, cell: Cell, phase: Literal["search", "confirm"], trial: Trial
    ) -> _Issue | None:
        """None where the trial ended before it began: decided earlier, or no valid config."""
        pruned = [k for k, v in trial.user_attrs.items() if k.startswith(RUNG) and v["prune"]]
        if pruned:
            self._tell(cell, phase, trial, "PRUNED", pruned_at(pruned[0]), None)
            return None
        attempt = trial.user_attrs.get("attempt", 0) + 1
        trial.set_user_attr("attempt", attempt)
        try:
            config = cell.config(phase, trial)
        except ValidationError as error:
            self._tell(cell, phase, trial, "FAIL", f"no valid config: {error}", None)
            return None
        suggestion = Suggestion(
            phase=phase,
            stratum=str(cell.stratum),
            number=trial.number,
            attempt=attempt,
            config=config,
        )
        return _Issue(cell, suggestion, trial)

    # Deciding and remembering

    def _prunes(self, issue: _Issue, trial: Trial, epoch: int) -> bool:
        if issue.suggestion.phase == CONFIRM:
            return False
        # Asked for control trials, too: without the call Optuna stores no value at the rung.
        advised = issue.cell.advises_to_prune(trial, epoch)
        trials = issue.cell.search.get_trials(deepcopy=False)
        peers = sum(epoch in t.intermediate_values for t in trials if t.number != trial.number)
        is_control = trial.user_attrs.get("control", False)
        return advised and not is_control and peers >= self.spec.budget.min_peers

    def _tell(
        self,
        cell: Cell,
        phase: str,
        trial: Trial,
        state: Ending,
        reason: str,
        cost: dict[str, float] | None,
    ) -> Ending:
        value = None
        if state == "COMPLETE":
            last = trial.user_attrs["config"]["max_epochs"]
            value = self._values(trial).get(last)
            if value is None:
                state, reason = "FAIL", f"it ended without a FID at its last epoch, {last}"
        if reason:
            trial.set_user_attr("reason", reason)
        if cost is not None:
            trial.set_user_attr("cost", cost)
        cell.study(phase).tell(trial, value, state=TrialState[state])
        return state

    def _take_back(self, issue: _Issue, trial: Trial, reason: str) -> Ending:
        losses = trial.user_attrs.get("losses", 0) + 1
        trial.set_user_attr("losses", losses)
        phase = issue.suggestion.phase
        assert phase != "test"
        if losses > LOSSES_ALLOWED:
            why = f"lost {losses} times: {reason}"
            return self._tell(issue.cell, phase, trial, "FAIL", why, None)
        self._unfinished.append((issue.cell, phase, trial))
        return "LOST"

    def _close_test(
        self, issue: _Issue, state: Ending, reason: str, test: dict[str, Any] | None
    ) -> Ending:
        key, number = issue.suggestion.key, issue.suggestion.number
        attributes = issue.cell.confirm.user_attrs
        if test is not None:
            if f"{TEST}{number}" not in attributes:
                issue.cell.confirm.set_user_attr(f"{TEST}{number}", test)
            return "COMPLETE"
        self._lost_tests[key] += state == "LOST"
        if state == "LOST" and self._lost_tests[key] <= LOSSES_ALLOWED:
            return "LOST"
        issue.cell.confirm.set_user_attr(f"{TEST_FAILURE}{number}", reason)
        self._failed_tests.add(key)
        return "FAIL"

    def _left_running(self) -> list[tuple[Cell, Literal["search", "confirm"], Trial]]:
        phases: tuple[Literal["search", "confirm"], ...] = ("search", "confirm")
        return [
            (cell, phase, Trial(cell.study(phase), frozen._trial_id))
            for cell in self._cells
            for phase in phases
            for frozen in cell.study(phase).get_trials(states=(TrialState.RUNNING,))
        ]

    def _values(self, trial: Trial) -> dict[int, float]:
        return self._storage.get_trial(trial._trial_id).intermediate_values


def pruned_at(rung: int | str) -> str:
    """The reason of a pruned trial, from its rung's epoch or attribute."""
    return f"pruned at epoch {str(rung).removeprefix(RUNG)}"


def _retry_failed(study: Study) -> int:
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    failed = [t for t in trials if t.state == TrialState.FAIL and t.number not in retried]
    for trial in failed:
        slot = {"slot": trial.user_attrs["slot"]} if "slot" in trial.user_attrs else {}
        study.enqueue_trial(dict(trial.params), user_attrs={"retry_of": trial.number, **slot})
    return len(failed)
