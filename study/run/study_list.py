"""`study list`: every study of a storage, and how far each of them is; nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from study.ledger import Ledger, LedgerFacts
from study.run.progress import Progress
from study.storage.layout import RESERVED, Layout, ledger_url, open_layout
from study.storage.lock import holder
from study.terminal_table import TerminalTable
from trainables.error import InputError

HEADERS = ("study", "strata", "done", "state", "failed", "last change")
# What is left out first where the terminal is narrow.
GIVES_WAY = ("failed", "strata", "last change")


@dataclass(frozen=True, slots=True)
class StudyLine:
    """How far one study is.

    Attributes:
        name: the study's.
        num_strata: cells of its table, times the repeats of each.
        num_done: trials and tests that have ended.
        num_planned: those that it has in all.
        num_failed: trials that failed for good.
        is_running: whether a driver holds its lock.
        changed: when its ledger last changed (Unix time, seconds).
    """

    name: str
    num_strata: int
    num_done: int
    num_planned: int
    num_failed: int
    is_running: bool
    changed: float

    @property
    def state(self) -> str:
        """In a word."""
        if self.is_running:
            return "running"
        return "finished" if self.num_done >= self.num_planned else "stopped"


def list_studies(storage: Path, console: Console) -> None:
    """Prints a line per study, the one that changed last first, and a sentence per broken one.

    Raises:
        InputError: there is no such storage.
    """
    folder = open_layout(storage, "any").storage
    if not folder.is_dir():
        raise InputError(
            f"there is no storage {folder}; `study run digits` makes one here, --storage names"
            " another"
        )
    lines: list[StudyLine] = []
    troubles: list[str] = []
    for path in _folders(folder):
        try:
            lines.append(study_line(Layout(folder, path.name)))
        except InputError as error:
            troubles.append(f"{path.name}: {error}")
    if lines:
        console.print(_table(lines))
    elif not troubles:
        console.print(f"no study in {folder}; `study run digits` begins one", soft_wrap=True)
    for trouble in troubles:
        console.print(trouble, soft_wrap=True, markup=False, emoji=False)


def study_line(layout: Layout) -> StudyLine:
    """How far a study is; read only.

    Raises:
        InputError: its folder holds no study, or one that cannot be read.
    """
    if not layout.spec.is_file():
        raise InputError(f"no study lies here, {layout.spec.name} is missing")
    spec, facts = layout.load_spec(), Ledger.read(ledger_url(layout), layout.name)
    progress = Progress(spec, facts, Console(quiet=True))
    return StudyLine(
        name=layout.name,
        num_strata=len(spec.searches()),
        num_done=progress.num_done,
        num_planned=progress.num_planned,
        num_failed=sum(trial.state == "FAIL" for trial in facts.trials),
        is_running=holder(layout.lock) is not None,
        changed=_changed(layout, facts),
    )


def _folders(storage: Path) -> Iterator[Path]:
    """What may be studies: folders that the storage does not need itself, and no hidden ones."""
    for path in sorted(storage.iterdir()):
        if path.is_dir() and path.name not in RESERVED and not path.name.startswith("."):
            yield path


def _changed(layout: Layout, facts: LedgerFacts) -> float:
    """By the files of the study, and by its trials where the ledger is a database."""
    files = (layout.spec, layout.journal)
    moments = [path.stat().st_mtime for path in files if path.exists()]
    moments += [t for trial in facts.trials for t in (trial.started, trial.ended) if t is not None]
    return max(moments)


def _table(lines: list[StudyLine]) -> TerminalTable:
    table = TerminalTable(HEADERS, ("study", "state", "last change"), GIVES_WAY)
    for line in sorted(lines, key=lambda line: line.changed, reverse=True):
        moment = datetime.fromtimestamp(line.changed).astimezone()
        table.add_row(
            line.name,
            str(line.num_strata),
            f"{line.num_done}/{line.num_planned}",
            line.state,
            str(line.num_failed or "·"),
            moment.strftime("%Y-%m-%d %H:%M"),
        )
    return table
