"""The ledger: one policy object that decides, and writes down before it acts.

Each stratum, and each repeat of its search, is an Optuna study of its own (sampler, pruner,
budget), and one more for its confirm phase. `next`, `report` and `close` are idempotent by (phase,
stratum, number, epoch), so that a restart may say everything again. What a trial's attributes
hold, in the order of writing:

    attempt        raised with each issue; results of a lower one are ignored
    config         the full config, written last of an ask: without it the trial is asked again
    rung/<epoch>   the value at a rung and the decision taken there, before it is acted on
    failures       attempts that failed, each with its kind and reason
    failure        the kind of the failure that it ended with
    best_elbo      its best validation ELBO
    reason, cost   why it ended and what it took, just before its final state

What a stratum's confirm phase holds stands in `study.ledger.choice`.
"""

from typing import Any

import optuna
from optuna.trial import Trial

from search_spaces import Stratum, StudySpec, did_you_mean
from study.ledger.agenda import Agenda
from study.ledger.cell import open_cell
from study.ledger.confirm import choose_again, rivals
from study.ledger.ending import Ended, Ending, retry_failed, take_back, tell
from study.ledger.facts import CONFIRM, RUNG, TEST, TEST_FAILURE, LedgerFacts, read_facts
from study.ledger.failure import Failure, FailureKind
from study.ledger.issue import Issue
from study.ledger.question import read_question
from study.ledger.storage import open_for_reading, open_storage, release
from trainables.error import InputError
from trainables.suggestion import Suggestion


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
        self._cells = [open_cell(spec, stratum, self._storage) for stratum in spec.searches()]
        self._issued: dict[str, Issue] = {}
        self._agenda = Agenda(self._cells)

    @classmethod
    def read(cls, url: str, study: str) -> LedgerFacts:
        """The facts of a study; never writes nor creates a file.

        Raises:
            InputError: there is no such ledger, or no such study in it.
        """
        storage = open_for_reading(url)
        try:
            return read_facts(storage, study)
        finally:
            release(storage)

    @classmethod
    def question(cls, url: str, study: str) -> StudySpec | None:
        """What a study was started with, as its ledger keeps it; None before it began.

        Raises:
            InputError: there is no such ledger, or it is of a newer program.
        """
        storage = open_for_reading(url)
        try:
            return read_question(storage, study)
        finally:
            release(storage)

    def facts(self) -> LedgerFacts:
        """The facts as they stand."""
        return read_facts(self._storage, self.spec.name)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to issue and nothing is under way."""
        return not self._issued and self._agenda.is_empty

    def next(self, ray_trial_id: str) -> Suggestion | None:
        """The next trial to run: those left unfinished first, then search, confirm, test.

        None where nothing can be issued now; it may be later, when what runs has ended.
        """
        if ray_trial_id in self._issued:
            return self._issued[ray_trial_id].suggestion
        issue = self._agenda.next(self._issued.values())
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
        may_stop = issue.suggestion.phase != CONFIRM and epoch < config.max_epochs
        prune = may_stop and issue.cell.pruning.should_stop(trial, epoch)
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
        best_elbo: float | None = None,
        test: dict[str, Any] | None = None,
    ) -> Ended:
        """Ends an issue: the trial's final state, or LOST, after which it is issued again.

        Args:
            ray_trial_id: as given to `next`; unknown ones are ignored.
            state: how it ended; LOST is a failure of that kind, FAIL is final.
            reason: one sentence, kept with the trial.
            cost: epochs and seconds that the trial took.
            best_elbo: its best validation ELBO, nats per image, higher is better; None without a
                bound.
            test: the result on the test split, where that was issued.

        Returns:
            How it ended in the ledger: a trial that is lost too often, or COMPLETE without its
            last FID, is a FAIL.
        """
        if state == "LOST":
            return self.fail(ray_trial_id, Failure(FailureKind.LOST, reason), cost=cost)
        issue = self._issued.pop(ray_trial_id, None)
        if issue is None:
            return Ended(state, reason)
        if issue.trial is None:
            return self._close_test(issue, Failure(FailureKind.INVALID, reason), test)
        study = issue.cell.study(issue.suggestion.phase)
        return tell(study, issue.trial, state, reason, cost=cost, best_elbo=best_elbo)

    def fail(
        self, ray_trial_id: str, failure: Failure, *, cost: dict[str, float] | None = None
    ) -> Ended:
        """Ends an attempt that failed: LOST where its kind is tried again, else FAIL.

        Args:
            ray_trial_id: as given to `next`; unknown ones are ignored.
            failure: what went wrong; `study.ledger.failure.RETRIES` says how often each kind may.
            cost: epochs and seconds that the trial took.
        """
        issue = self._issued.pop(ray_trial_id, None)
        if issue is None:
            return Ended("LOST", failure.reason, str(failure.kind))
        if issue.trial is None:
            return self._close_test(issue, failure, None)
        study = issue.cell.study(issue.suggestion.phase)
        ended = take_back(study, issue.trial, failure, cost)
        if ended.state == "LOST":
            self._agenda.take_up_again(issue)
        return ended

    def resource_factor(self, ray_trial_id: str) -> int:
        """How many times the resources of a trial an issue takes."""
        return self._issued[ray_trial_id].resource_factor

    def note(self, ray_trial_id: str, name: str, value: Any) -> None:
        """Keeps a fact with a running trial, such as its MLflow run."""
        issue = self._issued.get(ray_trial_id)
        if issue is not None and issue.trial is not None:
            issue.trial.set_user_attr(name, value)

    def retry_failed(self) -> int:
        """Asks for a new number, beyond the budget, for every FAIL not retried yet."""
        studies = [study for cell in self._cells for study in (cell.search, cell.confirm)]
        return sum(retry_failed(study) for study in studies)

    def enqueue(self, stratum: Stratum, params: dict[str, Any], overrides: dict[str, Any]) -> bool:
        """Tries a config next in its stratum, counted in the budget; once, however often asked.

        Args:
            stratum: one of the study's searches.
            params: values of fields that the search varies; the others are drawn.
            overrides: values of other fields.

        Raises:
            InputError: the stratum's budget is spent.
        """
        cell = next(cell for cell in self._cells if cell.stratum == stratum)
        return cell.enqueue(params, overrides)

    def add_confirm_seeds(self, num_seeds: int) -> None:
        """More seeds for the configs that stand, in every stratum."""
        for cell in self._cells:
            extra = cell.confirm.user_attrs.get("extra_seeds", 0)
            cell.confirm.set_user_attr("extra_seeds", extra + num_seeds)

    def rivals(self) -> dict[Stratum, tuple[str, ...]]:
        """Candidates better on the validation part than the tested ones, which nobody tested."""
        found = {cell.stratum: rivals(self.spec, cell.confirm).values() for cell in self._cells}
        return {stratum: tuple(dict.fromkeys(keys)) for stratum, keys in found.items() if keys}

    def retest(self, stratum: str, why: str) -> None:
        """Tests the rival of a tested config, for a reason that the report will show.

        Raises:
            InputError: there is no such stratum, it has no rival, or the study is not finished.
        """
        if not self.is_finished:
            raise InputError(
                f"{self.spec.name} is not finished, so its best may still change; run it first"
            )
        cells = {str(cell.stratum): cell for cell in self._cells}
        if stratum not in cells:
            hint = did_you_mean(stratum, cells)
            raise InputError(f"the study has no stratum {stratum!r}{hint}")
        if cells[stratum].stratum not in self.rivals():
            raise InputError(
                f"{stratum} has no config that is better on the validation part than the tested"
                " one, and no other is ever tested; extend its search first"
            )
        choose_again(self.spec, cells[stratum].confirm, why)

    def _close_test(self, issue: Issue, failure: Failure, test: dict[str, Any] | None) -> Ended:
        key, number = issue.suggestion.key, issue.suggestion.number
        confirm = issue.cell.confirm
        if test is not None:
            if f"{TEST}{number}" not in confirm.user_attrs:
                confirm.set_user_attr(f"{TEST}{number}", test)
            return Ended("TESTED")
        if not self._agenda.is_given_up(key, failure.kind):
            return Ended("LOST", failure.reason, str(failure.kind))
        told = {"kind": str(failure.kind), "reason": failure.reason}
        confirm.set_user_attr(f"{TEST_FAILURE}{number}", told)
        return Ended("FAIL", failure.reason, str(failure.kind))

    def _values(self, trial: Trial) -> dict[int, float]:
        return self._storage.get_trial(trial._trial_id).intermediate_values
