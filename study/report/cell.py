"""A cell of the table: one stratum's numbers, derived from the records of its trials."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import t as student_t

from search_spaces import Stratum, StudySpec
from study.record import State, TestResult, TrialRecord
from trainables.measurement import Measurement

Records = Sequence[TrialRecord]
Status = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One stratum of the study, or one of its variants.

    Attributes:
        stratum: dataset, prior and latent size.
        search: the trials that looked for a config.
        confirm: the trials of the best configs over fresh seeds.
        chosen: the COMPLETE confirm trials of the config that stands for the stratum.
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
        """Mean validation FID over the confirm seeds of the chosen config; lower is better."""
        return _mean([record.value for record in self.chosen if record.value is not None])

    @property
    def best_elbos(self) -> tuple[float, ...]:
        """Best validation ELBO of each chosen confirm seed, nats per image; higher is better.

        Empty where the trials have no bound.
        """
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


def build_cell(spec: StudySpec, stratum: Stratum, variant: str | None, records: Records) -> Cell:
    """The cell of a stratum, or of one of its variants, from all its trials so far."""
    search = tuple(record for record in records if record.phase == "search")
    confirm = tuple(record for record in records if record.phase == "confirm")
    chosen = _choose(confirm)
    num_trials = 0 if variant else spec.budget.trials_per_stratum
    status = _search_status(search, num_trials) or _confirm_status(confirm, chosen, spec)
    return Cell(stratum, search, confirm, chosen, *status, variant)


def _choose(confirm: Records) -> tuple[TrialRecord, ...]:
    """The complete trials of the tested config, else of the lowest mean validation FID."""
    configs: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in confirm:
        if record.state == "COMPLETE" and record.value is not None:
            configs[_config_key(record)].append(record)
    groups = list(configs.values())
    tested = [group for group in groups if any(record.test for record in group)]
    best = min(tested or groups, key=lambda group: np.mean([r.value for r in group]), default=[])
    return tuple(best)


def _config_key(record: TrialRecord) -> str:
    """The ledger's name of the config; without one, the config itself but for its seed."""
    slot = record.attributes.get("slot")
    if slot:
        return str(slot[0])
    config = {name: value for name, value in record.config.items() if name != "seed"}
    return json.dumps(config, sort_keys=True, default=str)


def _search_status(search: Records, budget: int) -> Status | None:
    """How far the search is, or that it found nothing; None if confirm has the word."""
    if not budget:
        return None
    if not search:
        return False, "not started"
    num_trials = max(budget, len(search))
    num_ended = sum(record.state != "RUNNING" for record in search)
    if num_ended < num_trials:
        return False, f"search: {num_ended} of {num_trials} trials ended"
    if all(record.state != "COMPLETE" for record in search):
        return True, "no complete trial"
    return None


def _confirm_status(confirm: Records, chosen: Records, spec: StudySpec) -> Status:
    num_seeds = spec.confirm.num_seeds
    num_tested = sum(record.test is not None for record in chosen)
    num_failed = sum(record.state == "FAIL" for record in confirm)
    if num_tested >= num_seeds:
        return True, "done"
    words = f"{num_tested} of {num_seeds} seeds tested"
    is_finished = num_tested + num_failed >= num_seeds
    return is_finished, f"{words}, {num_failed} failed" if num_failed else words


def best_measurement(record: TrialRecord) -> Measurement:
    """The epoch with the lowest validation loss, whose weights are the ones evaluated."""
    return min(record.measurements, key=lambda measurement: measurement.loss)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _known_mean(values: Iterable[float | None]) -> float | None:
    return _mean([value for value in values if value is not None])


def _value(record: TrialRecord) -> float:
    return math.inf if record.value is None else record.value
