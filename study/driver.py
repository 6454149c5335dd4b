"""The driver's loop body without Ray: ledger decides, observers are told, nobody else is.

Ray's searcher and scheduler are adapters around this object; tests and simulations call it alone.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from study.ledger import Ended, Ending, Ledger, pruned_at
from study.ledger.failure import Failure, FailureKind
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion


class Observer(Protocol):
    """Whoever wants to know what happens to trials; the driver's thread calls it."""

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        """A trial was issued."""

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        """A trial reported epochs; those of a resumed trial may come again."""

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        """An issue ended, as the ledger has it; `test` holds the result on the test split."""


class Driver:
    """Carries suggestions to workers and their measurements to the ledger.

    Attributes:
        stopping: set it to issue nothing more and stop what runs at its next result; what was
            stopped this way stays RUNNING in the ledger and is taken up by the next driver.
    """

    def __init__(
        self,
        ledger: Ledger,
        observers: Sequence[Observer] = (),
        stop_requested: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Takes the ledger, whom to tell, a question asked at every turn (stop now?), a clock.

        `warn` takes a sentence for the person who watches.
        """
        self.ledger = ledger
        self.observers = observers
        self.stop_requested = stop_requested
        self.stopping = False
        self.running: dict[str, Suggestion] = {}
        self._costs: dict[str, dict[int, float]] = {}
        self._best_elbos: dict[str, float] = {}
        self._clock, self._warn = clock, warn
        self._heard: dict[str, float] = {}
        self._stuck: set[str] = set()

    def issue(self, ray_trial_id: str) -> Suggestion | None:
        """The next trial, or None where there is none now."""
        if self.should_stop():
            return None
        suggestion = self.ledger.next(ray_trial_id)
        if suggestion is not None:
            self.running[ray_trial_id] = suggestion
            for observer in self.observers:
                observer.began(ray_trial_id, suggestion)
        return suggestion

    @property
    def is_over(self) -> bool:
        """Whether no trial will be issued any more."""
        return self.stopping or self.ledger.is_finished

    def should_stop(self) -> bool:
        """Whether the study is to end now; asks anew."""
        self.stopping = self.stopping or self.stop_requested()
        return self.stopping

    def absorb(self, ray_trial_id: str, result: dict[str, Any]) -> bool:
        """Takes what a worker returned; True where the trial must stop.

        Args:
            ray_trial_id: as given to `issue`; results of an issue that ended are ignored.
            result: `curve` (measurements since the last result), `test`, `done`, and with a FID
                the `val_protocol` that it was measured under.
        """
        suggestion = self.running.get(ray_trial_id)
        if suggestion is None:
            return True
        self._heard[ray_trial_id] = self._clock()
        if result["test"] is not None:
            self._end(ray_trial_id, "COMPLETE", test=result["test"])
            return True
        if ray_trial_id not in self._costs:
            self.ledger.note(ray_trial_id, "worker", result["worker"])
            self._tell_damage(ray_trial_id, suggestion, result.get("damaged", []))
        if result.get("val_protocol"):
            self.ledger.note(ray_trial_id, "val_protocol", result["val_protocol"])
        measurements = [Measurement.from_dict(values) for values in result["curve"]]
        self._remember(ray_trial_id, measurements)
        for observer in self.observers:
            observer.measured(suggestion, measurements)
        for measurement in measurements:
            if measurement.val_fid is None:
                continue
            if self.ledger.report(ray_trial_id, measurement.epoch, measurement.val_fid):
                self._end(ray_trial_id, "PRUNED", pruned_at(measurement.epoch))
                return True
        if result["done"]:
            self._end(ray_trial_id, "COMPLETE")
        return bool(result["done"]) or self.should_stop()

    def fail(self, ray_trial_id: str, failure: Failure) -> None:
        """An attempt failed; whether it is issued again is the ledger's to say."""
        if ray_trial_id not in self.running:
            return
        if ray_trial_id in self._stuck:  # it was killed for this, whatever its end looks like
            seconds = self.ledger.spec.resources.stuck_seconds
            failure = Failure(FailureKind.STUCK, f"nothing came from it for {seconds:g} seconds")
        self._end(ray_trial_id, "FAIL", failure=failure)

    def lose_all(self, reason: str) -> None:
        """Everything that runs is lost with its node."""
        for ray_trial_id in list(self.running):
            self.fail(ray_trial_id, Failure(FailureKind.LOST, reason))

    def stuck(self, at_work: Iterable[str]) -> list[str]:
        """Those that are to be killed: nothing came from them for `resources.stuck_seconds`.

        Args:
            at_work: issues that a worker works on now; waiting for a worker is not a lack of
                progress, so the clock of an issue starts when it is first named here.
        """
        now, limit = self._clock(), self.ledger.spec.resources.stuck_seconds
        silent = [
            name
            for name in at_work
            if name in self.running
            and name not in self._stuck
            and now - self._heard.setdefault(name, now) > limit
        ]
        self._stuck.update(silent)
        return silent

    def resource_factor(self, ray_trial_id: str) -> int:
        """How many times a trial's resources this issue takes."""
        return self.ledger.resource_factor(ray_trial_id)

    def _remember(self, ray_trial_id: str, measurements: Sequence[Measurement]) -> None:
        """What the ledger is told at the trial's end; a resumed trial brings its past again."""
        costs = self._costs.setdefault(ray_trial_id, {})
        costs |= {measurement.epoch: measurement.seconds for measurement in measurements}
        elbos = [m.elbo for m in measurements if m.elbo is not None]
        if ray_trial_id in self._best_elbos:
            elbos.append(self._best_elbos[ray_trial_id])
        if elbos:
            self._best_elbos[ray_trial_id] = max(elbos)

    def _tell_damage(self, ray_trial_id: str, suggestion: Suggestion, damaged: list[str]) -> None:
        if damaged:
            self.ledger.note(ray_trial_id, "damaged_checkpoints", damaged)
            self._warn(
                f"{suggestion.key}: {', '.join(damaged)} damaged, passed over; the trial goes on"
                " from the newest whole checkpoint"
            )

    def _end(
        self,
        ray_trial_id: str,
        state: Ending,
        reason: str = "",
        *,
        failure: Failure | None = None,
        test: dict[str, Any] | None = None,
    ) -> None:
        suggestion = self.running.pop(ray_trial_id)
        costs = self._costs.pop(ray_trial_id, {})
        best_elbo = self._best_elbos.pop(ray_trial_id, None)
        self._heard.pop(ray_trial_id, None)
        self._stuck.discard(ray_trial_id)
        cost = {"epochs": len(costs), "seconds": sum(costs.values())}
        if failure is not None:
            ended = self.ledger.fail(ray_trial_id, failure, cost=cost)
        else:
            ended = self.ledger.close(
                ray_trial_id, state, reason, cost=cost, best_elbo=best_elbo, test=test
            )
        for observer in self.observers:
            observer.ended(suggestion, ended, test)
