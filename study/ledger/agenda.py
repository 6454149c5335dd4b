"""What comes next: trials left unfinished, then search, confirm, and looks at the test split."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from optuna.trial import Trial, TrialState

from study.ledger.cell import Cell
from study.ledger.failure import RETRIES, FailureKind
from study.ledger.issue import Issue, TrialPhase, begin
from trainables.suggestion import Suggestion

_PHASES: tuple[TrialPhase, ...] = ("search", "confirm")


class Agenda:
    """The order in which a study's trials are issued, over all its strata."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        """Takes the strata, and up what an earlier driver left running there."""
        self.cells = cells
        self._unfinished = deque(_left_running(cells))
        self._failed_tests: set[str] = set()
        self._test_failures: Counter[tuple[str, FailureKind]] = Counter()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to issue, now or when what runs has ended."""
        if self._unfinished:
            return False
        return all(cell.confirm_is_over and not self._due_tests(cell) for cell in self.cells)

    def next(self, under_way: Iterable[Issue]) -> Issue | None:
        """The next issue, or None where there is none now."""
        issue = self._next_unfinished() or self._next_search() or self._next_confirm()
        return issue or self._next_test(under_way)

    def take_up_again(self, issue: Issue) -> None:
        """A trial whose attempt failed is issued before all others."""
        assert issue.trial is not None
        assert issue.suggestion.phase != "test"
        self._unfinished.append((issue.cell, issue.suggestion.phase, issue.trial))

    def is_given_up(self, test: str, kind: FailureKind) -> bool:
        """Whether a look at the test split has failed for the last time in this process."""
        self._test_failures[test, kind] += 1
        if self._test_failures[test, kind] > RETRIES[kind]:
            self._failed_tests.add(test)
        return test in self._failed_tests

    def _next_unfinished(self) -> Issue | None:
        while self._unfinished:
            issue = begin(*self._unfinished.popleft())
            if issue is not None:
                return issue
        return None

    def _next_search(self) -> Issue | None:
        """A trial of the stratum that is furthest behind its budget."""
        while True:
            cell = max(self.cells, key=lambda cell: cell.search_left)
            if cell.search_left <= 0:
                return None
            issue = begin(cell, "search", cell.search.ask())
            if issue is not None:
                return issue

    def _next_confirm(self) -> Issue | None:
        for cell in self.cells:
            while (trial := cell.ask_confirm()) is not None:
                issue = begin(cell, "confirm", trial)
                if issue is not None:
                    return issue
        return None

    def _next_test(self, under_way: Iterable[Issue]) -> Issue | None:
        keys = {issue.suggestion.key for issue in under_way if issue.trial is None}
        for cell in self.cells:
            for suggestion in self._due_tests(cell):
                if suggestion.key not in keys:
                    return Issue(cell, suggestion, None)
        return None

    def _due_tests(self, cell: Cell) -> list[Suggestion]:
        """Looks at the test split that are due and were not given up in this process."""
        due = map(cell.test_suggestion, cell.untested)
        return [suggestion for suggestion in due if suggestion.key not in self._failed_tests]


def _left_running(cells: Sequence[Cell]) -> list[tuple[Cell, TrialPhase, Trial]]:
    return [
        (cell, phase, Trial(cell.study(phase), frozen._trial_id))
        for cell in cells
        for phase in _PHASES
        for frozen in cell.study(phase).get_trials(states=(TrialState.RUNNING,))
    ]
