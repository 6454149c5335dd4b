"""What a person sees while a study runs: a live table, or plain lines without a terminal."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search_spaces import Stratum, StudySpec
from study.extent import num_confirm_trials
from study.ledger import Ended, LedgerFacts
from study.number import duration_text
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion


@dataclass(slots=True)
class _Row:
    """The line of one stratum, or of a repeat of it.

    There are more than `num_expected` confirm trials where criteria prefer different configs.
    """

    num_expected: int
    search: Counter[str] = field(default_factory=Counter)
    confirm: Counter[str] = field(default_factory=Counter)
    tested: int = 0
    running: dict[str, int] = field(default_factory=dict)
    best_fid: float | None = None
    doing: str = ""

    @property
    def num_confirmed(self) -> int:
        """Confirm trials in all, as far as it is known."""
        return max(self.num_expected, self.confirm.total())


class Progress:
    """Counts what happens, and shows it; an observer of the driver."""

    def __init__(self, spec: StudySpec, facts: LedgerFacts | None, console: Console) -> None:
        """Starts from what the ledger has already."""
        self.spec, self.console = spec, console
        self.rows = {
            stratum: _Row(num_expected=num_confirm_trials(spec, stratum)[0])
            for stratum in spec.searches()
        }
        self.started = time.monotonic()
        self.num_epochs = 0
        self._seen: dict[str, int] = {}
        for trial in facts.trials if facts else ():
            row = self.rows[trial.stratum]
            if trial.state != "RUNNING":
                self._phase(row, trial.phase)[trial.state] += 1
            _improve(row, trial.rungs.values())
        for stratum, known in facts.strata.items() if facts else ():
            self.rows[stratum].tested = len(known.tests)

    def showing(self) -> AbstractContextManager[Any]:
        """Inside, the live table is on the screen, if there is one."""
        if not self.console.is_terminal:
            return nullcontext()
        return Live(console=self.console, get_renderable=self._view, refresh_per_second=4)

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        """A trial was issued."""
        row = self.rows[Stratum.parse(suggestion.stratum)]
        row.running[suggestion.key] = 0
        row.doing = suggestion.phase

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        """A trial reported epochs."""
        row = self.rows[Stratum.parse(suggestion.stratum)]
        before = self._seen.get(suggestion.key, 0)
        new = [measurement for measurement in measurements if measurement.epoch > before]
        self.num_epochs += len(new)
        if measurements:
            row.running[suggestion.key] = self._seen[suggestion.key] = measurements[-1].epoch
        _improve(row, [m.val_fid for m in measurements if m.val_fid is not None])

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        """An issue ended."""
        row = self.rows[Stratum.parse(suggestion.stratum)]
        row.running.pop(suggestion.key, None)
        if ended.state == "TESTED":
            row.tested += 1
        elif ended.state != "LOST" and suggestion.phase != "test":
            self._phase(row, suggestion.phase)[ended.state] += 1
        if not self.console.is_terminal:
            self.console.print(self._line(suggestion, ended, test), highlight=False)

    @property
    def num_done(self) -> int:
        """Trials and tests that have ended."""
        return sum(
            row.search.total() + row.confirm.total() + row.tested for row in self.rows.values()
        )

    @property
    def num_planned(self) -> int:
        """Trials and tests that the study has in all, unless strata stay without a result."""
        budget, num_seeds = self.spec.budget, self.spec.confirm.num_seeds
        planned = 0
        for row in self.rows.values():
            num_tests = row.num_confirmed if self.spec.variants else num_seeds
            planned += budget.trials_per_stratum + row.num_confirmed + max(num_tests, row.tested)
        return max(self.num_done, planned)

    def _line(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> str:
        row = self.rows[Stratum.parse(suggestion.stratum)]
        words = [f"[{self.num_done}/{self.num_planned}]".ljust(9), suggestion.phase.ljust(7)]
        words += [
            suggestion.stratum.ljust(max(22, *(len(str(stratum)) for stratum in self.rows))),
            f"#{suggestion.number}".ljust(4),
            ended.state.ljust(8),
        ]
        if test is not None:
            words.append(f"test FID {test['test_fid']:.2f}")
        elif row.best_fid is not None:
            words.append(f"best FID {row.best_fid:.2f}")
        if ended.reason:
            kind = f"{ended.failure}: " if ended.failure else ""
            words.append(f"({kind}{ended.reason})")
        return f"{' '.join(words)}  {self._pace()}".replace("[", r"\[")

    def _pace(self) -> str:
        elapsed = time.monotonic() - self.started
        pace = f"{self.num_epochs / max(elapsed, 1e-9):.1f} epochs/s"
        left = self._seconds_left(elapsed)
        return f"{pace}, {duration_text(left)} left" if left is not None else pace

    def _seconds_left(self, elapsed: float) -> float | None:
        """By epochs: trials to come cost the mean of those that ended, confirm trials all.

        None where nobody can tell: at the start, and when only looks at the test split are left.
        """
        if self.num_epochs < 20:
            return None
        budget = self.spec.budget
        ended = [self._seen[key] for key in self._seen]
        mean = sum(ended) / len(ended) if ended else budget.max_epochs
        epochs = 0.0
        for row in self.rows.values():
            epochs += max(0, budget.trials_per_stratum - row.search.total()) * mean
            confirmed = max(0, row.num_confirmed - row.confirm.total())
            epochs += confirmed * self.spec.confirm_epochs
            epochs -= sum(row.running.values())
        return epochs / (self.num_epochs / elapsed) if epochs > 0 else None

    def table(self) -> Table:
        """A line per stratum and repeat."""
        table = Table(box=None, pad_edge=False)
        for name in ("stratum", "search", "pruned", "failed", "confirm", "tested", "best FID"):
            table.add_column(name, justify="left" if name == "stratum" else "right", no_wrap=True)
        table.add_column("trial: epoch", no_wrap=True)
        for stratum, row in self.rows.items():
            table.add_row(*self._cells(stratum, row))
        return table

    def _view(self) -> RenderableType:
        elapsed = time.monotonic() - self.started
        summary = (
            f"{self.num_done}/{self.num_planned} done, {duration_text(elapsed)}, {self._pace()}"
        )
        return Group(self.table(), Text(summary, style="dim"))

    def _cells(self, stratum: Stratum, row: _Row) -> list[str]:
        now = ", ".join(f"{_short(key)}: {epoch}" for key, epoch in row.running.items())
        return [
            str(stratum),
            f"{row.search.total()}/{self.spec.budget.trials_per_stratum}",
            str(row.search["PRUNED"] or "·"),
            str(row.search["FAIL"] + row.confirm["FAIL"] or "·"),
            f"{row.confirm.total()}/{row.num_confirmed}",
            str(row.tested or "·"),
            "·" if row.best_fid is None else f"{row.best_fid:.2f}",
            now,
        ]

    def _phase(self, row: _Row, phase: str) -> Counter[str]:
        return row.confirm if phase == "confirm" else row.search


def _short(key: str) -> str:
    return f"#{key.rpartition('/')[2]}"


def _improve(row: _Row, fids: Any) -> None:
    known = [] if row.best_fid is None else [row.best_fid]
    row.best_fid = min([*known, *fids], default=None)
