"""Optuna's storage by URL: the append-only journal by default, in memory, or a database.

Only the driver, which holds the study's lock, opens a journal for writing; it mends a torn last
line first (what was torn was never acknowledged) and removes the lock file of a killed driver.
"""

import json
import os
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation

from trainables.error import InputError

JOURNAL = "journal:"
MEMORY = "memory:"


def open_storage(url: str) -> BaseStorage:
    """The storage for writing; made where it does not exist.

    Args:
        url: `journal:PATH`, `memory:`, or a database's (`sqlite:///…`, `postgresql://…`).

    Raises:
        InputError: the URL names nothing that can be opened.
    """
    if url == MEMORY:
        return InMemoryStorage()
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        if not path.parent.is_dir():
            raise InputError(f"the ledger {path} needs its folder to exist")
        _mend(path)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        return _journal(path)
    return _database(url, for_reading=False)


def open_for_reading(url: str) -> BaseStorage:
    """The storage as it stands; neither writes nor creates a file.

    Raises:
        InputError: there is nothing at this URL.
    """
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        if not path.is_file():
            raise InputError(f"there is no ledger at {path}")
        _check_is_journal(path)
        return _journal(path)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise InputError(f"there is no ledger at {url}")
    return _database(url, for_reading=True)


def release(storage: BaseStorage) -> None:
    """Closes a database's connections; the other storages hold nothing open."""
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def _database(url: str, for_reading: bool) -> BaseStorage:
    try:
        return RDBStorage(url, skip_table_creation=for_reading)
    except (
        ImportError,
        ValueError,
        RuntimeError,
        optuna.exceptions.StorageInternalError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the ledger {url!r} cannot be opened: {reason}") from error
    except Exception as error:  # sqlalchemy's errors share no base with Optuna's
        if not type(error).__module__.startswith("sqlalchemy"):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"the ledger {url!r} cannot be opened: {reason}") from error


def _mend(path: Path) -> None:
    """Cuts a journal back to its last newline."""
    if not path.exists():
        return
    _check_is_journal(path)
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    last = content[content.rfind(b"\n", 0, max(0, end - 1)) + 1 : end]
    if last and not _is_record(last):  # Optuna would write on behind it
        raise InputError(_damage(path))
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())


def _journal(path: Path) -> JournalStorage:
    """Reads it whole, and names the line where that fails."""
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise InputError(_damage(path) or f"{path} is damaged: {error!r}") from error


def _damage(path: Path) -> str:
    """Where a journal is damaged, and what to do; empty where every whole line is a record."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n") and not _is_record(line):
                return (
                    f"{path} is damaged: line {number} is not a record of Optuna's journal; put a"
                    f" copy of the file back, or keep what stands before: `head -n {number - 1}`"
                )
    return ""


def _is_record(line: bytes) -> bool:
    try:
        return JournalOperation(json.loads(line)["op_code"]) is not None
    except (ValueError, TypeError, KeyError):
        return False


def _check_is_journal(path: Path) -> None:
    """Nothing else is cut or read: the first whole line must be a record of Optuna's."""
    with path.open("rb") as file:
        line = file.readline()
    # Without an end it is empty, or torn in its first record.
    if line.endswith(b"\n") and not _is_record(line):
        raise InputError(
            f"{path} is not a ledger: its first line is not a record of Optuna's journal"
        )
