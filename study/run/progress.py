"""What a person sees while a study runs: a live table, or plain lines without a terminal."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from search_spaces import Stratum, StudySpec
from study.ledger import Ended, LedgerFacts
from study.preview.extent import num_confirm_trials
from study.terminal_table import Listing, TerminalTable
from study.text import duration_text
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion

_HEADERS = (
    "stratum", "search", "pruned", "failed", "confirm", "tested", "best FID", "trial: epoch",
)  # fmt: skip
_GIVES_WAY = ("pruned", "trial: epoch", "tested", "failed", "confirm")
_STAGES = ("running", "begun", "not begun", "finished")  # those first that a person waits for


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

    @property
    def num_confirmed(self) -> int:
        """Confirm trials in all, as far as it is known."""
        return max(self.num_expected, self.confirm.total())

    @property
    def num_done(self) -> int:
        """Trials and tests that have ended."""
        return self.search.total() + self.confirm.total() + self.tested


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
            line = self._line(suggestion, ended, test)
            self.console.print(line, soft_wrap=True, markup=False, emoji=False, highlight=False)

    @property
    def num_done(self) -> int:
        """Trials and tests that have ended."""
        return sum(row.num_done for row in self.rows.values())

    @property
    def num_planned(self) -> int:
        """Trials and tests that the study has in all, unless strata stay without a result."""
        return max(self.num_done, sum(map(self._num_planned, self.rows.values())))

    def _num_planned(self, row: _Row) -> int:
        num_tests = row.num_confirmed if self.spec.variants else self.spec.confirm.num_seeds
        num_tests = max(num_tests, row.tested)
        return self.spec.budget.trials_per_stratum + row.num_confirmed + num_tests

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
            words.append(f"({kind}{' '.join(ended.reason.split())})")
        return f"{' '.join(words)}  {self._pace()}"

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

    def table(self) -> TerminalTable:
        """A line per stratum and repeat."""
        table = TerminalTable(_HEADERS, ("stratum", "trial: epoch"), _GIVES_WAY)
        self._fill(table, self.rows)
        return table

    def _view(self) -> RenderableType:
        """What is live: as many lines of the table as the terminal is tall, and the sum of all."""
        order = sorted(self.rows, key=lambda stratum: _STAGES.index(self._stage(stratum)))
        num_shown = len(order)
        while True:
            view = self._view_of(set(order[:num_shown]), order[num_shown:])
            excess = len(self.console.render_lines(view)) - self.console.height
            if excess <= 0 or not num_shown:
                return view
            num_shown = max(0, num_shown - excess)

    def _view_of(self, shown: Collection[Stratum], others: Sequence[Stratum]) -> Group:
        table = TerminalTable(
            _HEADERS, ("stratum", "trial: epoch"), _GIVES_WAY, names_missing=False
        )
        self._fill(table, [stratum for stratum in self.rows if stratum in shown])
        elapsed = time.monotonic() - self.started
        summary = (
            f"{self.num_done}/{self.num_planned} done, {duration_text(elapsed)}, {self._pace()}"
        )
        more = [Text(self._more(others), style="dim")] if others else []
        return Group(table, *more, Text(summary, style="dim"))

    def _more(self, strata: Sequence[Stratum]) -> str:
        """How many there are, and of which stage."""
        stages = Counter(map(self._stage, strata))
        counts = ", ".join(f"{stages[stage]} {stage}" for stage in _STAGES if stages[stage])
        return f"and {len(strata)} more: {counts}"

    def _stage(self, stratum: Stratum) -> str:
        row = self.rows[stratum]
        if row.running:
            return "running"
        if not row.num_done:
            return "not begun"
        return "finished" if row.num_done >= self._num_planned(row) else "begun"

    def _fill(self, table: TerminalTable, strata: Iterable[Stratum]) -> None:
        for stratum in strata:
            row = self.rows[stratum]
            running = tuple(row.running.items())  # the driver's thread changes it meanwhile
            table.add_row(
                str(stratum),
                f"{row.search.total()}/{self.spec.budget.trials_per_stratum}",
                str(row.search["PRUNED"] or "·"),
                str(row.search["FAIL"] + row.confirm["FAIL"] or "·"),
                f"{row.confirm.total()}/{row.num_confirmed}",
                str(row.tested or "·"),
                "·" if row.best_fid is None else f"{row.best_fid:.2f}",
                Listing(tuple(f"{_short(key)}: {epoch}" for key, epoch in running), "running"),
            )

    def _phase(self, row: _Row, phase: str) -> Counter[str]:
        return row.confirm if phase == "confirm" else row.search


def _short(key: str) -> str:
    return f"#{key.rpartition('/')[2]}"


def _improve(row: _Row, fids: Any) -> None:
    known = [] if row.best_fid is None else [row.best_fid]
    row.best_fid = min([*known, *fids], default=None)
