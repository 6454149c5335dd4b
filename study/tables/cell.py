"""A cell of the table: one stratum's numbers, derived from the records of its trials.

Where the search was repeated, a repeat has one value, the mean over its seeds, and the cell's
numbers are over repeats: seeds of one repeat share its luck, so they are not independent values.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import t as student_t

from search_spaces import Stratum, StudySpec
from study.ledger.phase import State
from study.record import TestResult, TrialRecord
from study.tables.confirmed import Records, chosen_trials, confirm_status, search_status
from trainables.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Cell:
    """One stratum of the study, or one of its variants.

    Attributes:
        stratum: dataset, prior and latent size.
        search: the trials that looked for a config.
        confirm: the trials of the best configs over fresh seeds.
        chosen: the COMPLETE confirm trials that stand for the stratum: the seeds of its config
            that are tested, not those that chose it.
        is_finished: whether nothing more is to come.
        status: how far the stratum is, or why it is empty.
        variant: the name of the fixed overrides, or None for the searched stratum.
        selection: the criterion that chose the config, `fid` or `elbo`.
        repeats: a cell for each repeat of the search; empty where it was not repeated.
    """

    stratum: Stratum
    search: tuple[TrialRecord, ...] = field(repr=False)
    confirm: tuple[TrialRecord, ...] = field(repr=False)
    chosen: tuple[TrialRecord, ...] = field(repr=False)
    is_finished: bool
    status: str
    variant: str | None = None
    selection: str = "fid"
    repeats: tuple["Cell", ...] = ()

    @property
    def searches(self) -> tuple["Cell", ...]:
        """The cell of each search: the repeats, or the cell itself."""
        return self.repeats or (self,)

    @property
    def num_complete(self) -> int:
        """Search trials that ran to their last epoch."""
        return self._count("COMPLETE")

    @property
    def num_pruned(self) -> int:
        """Search trials stopped at a rung."""
        return self._count("PRUNED")

    @property
    def num_failed(self) -> int:
        """Search trials that raised or diverged."""
        return self._count("FAIL")

    @property
    def num_running(self) -> int:
        """Search trials without an end."""
        return self._count("RUNNING")

    @property
    def tests(self) -> tuple[TestResult, ...]:
        """The results on the test split, one a seed of the chosen config."""
        return tuple(record.test for record in self.chosen if record.test is not None)

    @property
    def num_values(self) -> int:
        """Values that mean, deviation and interval are over: seeds, or else repeats."""
        return len(self.test_fids)

    @property
    def num_seeds(self) -> int:
        """`num_values`, by its name in tables of studies without repeats."""
        return self.num_values

    @property
    def unit(self) -> str:
        """What one of the values is of: a seed, or a repeat."""
        return "repeat" if self.repeats else "seed"

    @property
    def test_fids(self) -> tuple[float, ...]:
        """Test FID of each seed, or the mean over seeds of each repeat; lower is better."""
        if self.repeats:
            return tuple(cell.mean for cell in self.repeats if cell.mean is not None)
        return tuple(test.test_fid for test in self.tests)

    @property
    def mean(self) -> float | None:
        """Mean of the test FIDs; lower is better. None where the cell is empty."""
        return _mean(self.test_fids)

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation of the test FIDs (ddof 1); None below two."""
        return float(np.std(self.test_fids, ddof=1)) if self.num_values > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean test FID; None below two values."""
        if self.mean is None or self.standard_deviation is None:
            return None
        reach = float(student_t.isf(0.025, self.num_values - 1))
        half = reach * self.standard_deviation / math.sqrt(self.num_values)
        return self.mean - half, self.mean + half

    @property
    def untrained_fid(self) -> float | None:
        """Mean test FID of the same models before training."""
        return self.mean_part("untrained_fid")

    def mean_part(self, name: str) -> float | None:
        """Mean of a part of the test result, such as `aggregate_fid`, over seeds or repeats."""
        if self.repeats:
            return _known_mean(cell.mean_part(name) for cell in self.repeats)
        return _known_mean(getattr(test, name) for test in self.tests)

    @property
    def val_fid(self) -> float | None:
        """Mean validation FID of the chosen trials, over seeds or repeats; lower is better."""
        if self.repeats:
            return _known_mean(cell.val_fid for cell in self.repeats)
        return _known_mean(record.value for record in self.chosen)

    @property
    def best_elbos(self) -> tuple[float, ...]:
        """Best validation ELBO of each chosen seed, nats per image; higher is better.

        The mean over seeds of each repeat, where there are repeats. Empty where the trials have
        no bound.
        """
        if self.repeats:
            means = (cell.best_elbo for cell in self.repeats)
            return tuple(mean for mean in means if mean is not None)
        best = (best_measurement(record) for record in self.chosen if record.measurements)
        return tuple(measurement.elbo for measurement in best if measurement.elbo is not None)

    @property
    def best_elbo(self) -> float | None:
        """Mean of the best validation ELBOs, nats per image; higher is better."""
        return _mean(self.best_elbos)

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Search and confirm trials together."""
        return (*self.search, *self.confirm)

    @property
    def seconds(self) -> float:
        """Training and evaluation time of search and confirm."""
        return math.fsum(record.cost.seconds for record in self.trials)

    @property
    def epochs(self) -> int:
        """Epochs trained in search and confirm."""
        return sum(record.cost.epochs for record in self.trials)

    @property
    def best_trial(self) -> TrialRecord | None:
        """A trial of the config that stands for this cell: confirmed, else the search's best."""
        if self.chosen:
            return self.chosen[0]
        complete = [r for r in self.search if r.state == "COMPLETE" and r.value is not None]
        return min(complete, key=_value, default=None)

    def _count(self, state: State) -> int:
        return Counter(record.state for record in self.search)[state]


def build_cell(
    spec: StudySpec,
    stratum: Stratum,
    variant: str | None,
    records: Records,
    selection: str | None = None,
) -> Cell:
    """The cell of one search, or of a variant, from all its trials so far.

    Args:
        spec: the study's question.
        stratum: which one, and which repeat of it.
        variant: its name, if it is one.
        records: the trials.
        selection: the criterion whose choice it shows; the first of the space by default.
    """
    criterion = selection or spec.confirm.by[0]
    search = tuple(record for record in records if record.phase == "search")
    confirm = tuple(record for record in records if record.phase == "confirm")
    chosen = chosen_trials(confirm, criterion)
    num_trials = 0 if variant else spec.budget.trials_per_stratum
    status = search_status(search, num_trials) or confirm_status(
        confirm, criterion, spec.confirm.num_seeds
    )
    shown = "fid" if variant else criterion  # nothing selects among variants
    return Cell(stratum, search, confirm, chosen, *status, variant, shown)


def merge_repeats(repeats: Sequence[Cell]) -> Cell:
    """One cell of the repeats of a stratum, the first of which gives it its name."""
    if len(repeats) == 1:
        return repeats[0]
    return replace(
        repeats[0],
        search=tuple(record for cell in repeats for record in cell.search),
        confirm=tuple(record for cell in repeats for record in cell.confirm),
        chosen=tuple(record for cell in repeats for record in cell.chosen),
        is_finished=all(cell.is_finished for cell in repeats),
        status=_repeats_status(repeats),
        repeats=tuple(repeats),
    )


def _repeats_status(repeats: Sequence[Cell]) -> str:
    statuses = {cell.status for cell in repeats}
    if len(statuses) == 1 and statuses & {"done", "not started", "no complete trial"}:
        return statuses.pop()
    num_done = sum(cell.is_finished for cell in repeats)
    words = f"{num_done} of {len(repeats)} repeats done"
    num_empty = sum(cell.is_finished and not cell.tests for cell in repeats)
    return f"{words}, {num_empty} without a value" if num_empty else words


def best_measurement(record: TrialRecord) -> Measurement:
    """The epoch with the lowest validation loss, whose weights are the ones evaluated."""
    return min(record.measurements, key=lambda measurement: measurement.loss)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _known_mean(values: Iterable[float | None]) -> float | None:
    return _mean([value for value in values if value is not None])


def _value(record: TrialRecord) -> float:
    return math.inf if record.value is None else record.value
