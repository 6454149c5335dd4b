"""A worker without a model, that walks trials through a ledger as the driver does."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from search_spaces import Stratum, StudySpec, load_space
from study.ledger import Ledger, LedgerFacts, TrialFacts
from trainables.config import TrialConfig
from trainables.seed import derive_seed
from trainables.suggestion import Suggestion

SMALL = (
    "name=small", "strata.prior=gaussian,flow", "strata.latent_size=8",
    "budget.trials_per_stratum=6", "budget.max_epochs=8", "budget.first_rung=1",
    "budget.reduction_factor=2", "budget.min_peers=2", "confirm.num_seeds=2",
)  # fmt: skip


class KilledError(BaseException):
    """The process ends here; no `except Exception` sees it."""


def small(*overrides: str) -> StudySpec:
    return load_space("digits", [*SMALL, *overrides])


def fid_of(config: TrialConfig, epoch: int) -> float:
    """A learning curve that follows from the config alone, with noise of its seed."""
    noise = derive_seed(config.seed) / 2**32
    rate = config.optimizer.learning_rate
    return (20 + 5000 * abs(rate - 2e-3) + 5 * noise) * (1 + 2 / epoch)


def best_elbo_of(config: TrialConfig) -> float:
    """It prefers faster learning than the FID does, so that the two choose different configs."""
    noise = derive_seed(config.seed, "elbo") / 2**32
    return -10 - 5000 * abs(config.optimizer.learning_rate - 4e-3) - 5 * noise


@dataclass
class Walk:
    """A worker of one driver after the other; its memory outlives them, as checkpoints do."""

    spec: StudySpec
    url: str
    ledger: Ledger = field(init=False)
    under_way: dict[str, tuple[Suggestion, list[int]]] = field(default_factory=dict)
    issued: list[Suggestion] = field(default_factory=list)
    decisions: dict[tuple[str, int], bool] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    tests: Counter[str] = field(default_factory=Counter)
    ids: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.spec, self.url)

    def restart(self) -> None:
        """The driver is gone with all that ran; a new one opens the same ledger."""
        self.under_way.clear()
        self.ledger = Ledger(self.spec, self.url)

    def issue(self) -> str | None:
        ray_trial_id = f"ray-{next(self.ids)}"
        suggestion = self.ledger.next(ray_trial_id)
        if suggestion is None:
            return None
        self.issued.append(suggestion)
        self.under_way[ray_trial_id] = suggestion, list(suggestion.config.evaluated_epochs)
        return ray_trial_id

    def advance(self, ray_trial_id: str) -> None:
        """One rung further, or to the end."""
        suggestion, epochs = self.under_way[ray_trial_id]
        if suggestion.phase == "test":
            del self.under_way[ray_trial_id]
            test = {"test_fid": 30.0, "untrained_fid": 400.0, "protocol": {}}
            self.ledger.close(ray_trial_id, "COMPLETE", test=test)
            self.tests[f"{suggestion.stratum}/{suggestion.number}"] += 1
            return
        epoch = epochs.pop(0)
        stop = self.ledger.report(ray_trial_id, epoch, fid_of(suggestion.config, epoch))
        known = self.decisions.setdefault((suggestion.key, epoch), stop)
        assert known == stop, f"{suggestion.key} heard {known}, then {stop} at epoch {epoch}"
        if stop or not epochs:
            self.close(ray_trial_id, "PRUNED" if stop else "COMPLETE")

    def close(self, ray_trial_id: str, state: Any, reason: str = "") -> None:
        suggestion, _ = self.under_way.pop(ray_trial_id)
        elbo = best_elbo_of(suggestion.config)
        cost = {"epochs": 1, "seconds": 1.0}
        self.ledger.close(ray_trial_id, state, reason, cost=cost, best_elbo=elbo)
        if state != "LOST":
            assert suggestion.key not in self.ended
            self.ended[suggestion.key] = state

    def run(self) -> LedgerFacts:
        """One trial after the other, to the end of the study."""
        while (ray_trial_id := self.issue()) is not None:
            while ray_trial_id in self.under_way:
                self.advance(ray_trial_id)
        return self.ledger.facts()

    def finish(self) -> LedgerFacts:
        """What is under way, and then the rest of the study."""
        while self.under_way:
            self.advance(next(iter(self.under_way)))
        return self.run()

    def run_with_restarts(self) -> None:
        """The same with a new driver after every step."""
        while not self.ledger.is_finished:
            ray_trial_id = self.issue()
            assert ray_trial_id is not None
            suggestion, epochs = self.under_way[ray_trial_id]
            past = [epoch for epoch in epochs if (suggestion.key, epoch) in self.decisions]
            for _ in past if suggestion.phase != "test" else []:  # as its checkpoint has it
                self.advance(ray_trial_id)
            if ray_trial_id in self.under_way:
                self.advance(ray_trial_id)
            self.restart()

    def run_until(self, wanted: Callable[[Suggestion], bool]) -> str:
        """To the first trial of this kind, which is left under way."""
        while ray_trial_id := self.issue():
            if wanted(self.issued[-1]):
                return ray_trial_id
            while ray_trial_id in self.under_way:
                self.advance(ray_trial_id)
        raise AssertionError("the study ended before")


def phase(facts: LedgerFacts, name: str) -> list[TrialFacts]:
    return [trial for trial in facts.trials if trial.phase == name]


def by_stratum(trials: list[TrialFacts]) -> Counter[Stratum]:
    return Counter(trial.stratum for trial in trials)


def key_of(trial: TrialFacts) -> str:
    return f"{trial.phase}/{trial.stratum}/{trial.number}"


def proposals(walk: Walk) -> list[tuple[str, str]]:
    return sorted({(s.key, s.config.model_dump_json()) for s in walk.issued})


def arm(
    ledger: Ledger, countdown: int, manner: str, spare: Callable[[str], bool] = lambda _: False
) -> None:
    """Kills the driver at a write to the journal: before it, after it, or in its middle."""
    backend: Any = ledger._storage._backend  # type: ignore[attr-defined]
    append = backend.append_logs
    left = itertools.count(countdown, -1)

    def append_and_die(logs: list[dict[str, Any]]) -> None:
        if next(left) > 0 or spare(str(logs)):
            append(logs)
            return
        if manner == "after":
            append(logs)
        if manner == "within":
            with Path(backend._file_path).open("ab") as file:
                file.write(b'{"op_code":8,"worker_id":"ab')
        raise KilledError

    backend.append_logs = append_and_die


def optuna_trials(walk: Walk, trial_phase: str = "search") -> list[optuna.trial.FrozenTrial]:
    studies = [
        cell.confirm if trial_phase == "confirm" else cell.search for cell in walk.ledger._cells
    ]
    return [trial for study in studies for trial in study.get_trials()]
