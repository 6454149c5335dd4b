"""Runs a small digits study where something is killed, as `kill -9` would, at given moments.

    killed_driver.py VICTIM/PHASE/EVENT/COUNT … KEY=VALUE …

VICTIM is driver, worker or raylet, PHASE is search, confirm or test; at the COUNT-th EVENT of
that phase the process is gone, a worker as well as the node that it runs on:

    issue    a trial was issued, and nothing more
    report   a worker has written its checkpoint and returned; nobody has read the result yet
    close    the ledger has a trial's last result, but not its end

Without moments the study runs to its end. KEY=VALUE overrides the study's space.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil

from study import run_study
from study.driver import Driver
from study.ledger import Ledger
from trainables.suggestion import Suggestion


def quick(num_trials: int, max_epochs: int) -> list[str]:
    """Overrides of the digits study: three strata, everything small."""
    return [
        "strata.latent_size=8", f"budget.trials_per_stratum={num_trials}",
        f"budget.max_epochs={max_epochs}", "budget.first_rung=2", "confirm.num_seeds=2",
        "fid.classifier_epochs=3", "fid.num_samples=300",
    ]  # fmt: skip


def family_of(process: int) -> list[psutil.Process]:
    """A driver's Ray processes."""
    try:
        return psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def workers_of(process: int) -> list[psutil.Process]:
    """A driver's processes that train trials, or are about to."""
    # Ray calls them by the one name at work, and by the other between two calls.
    names = ("ray::ResourceTrainable", "ray::PriorTrainable")
    return [p for p in family_of(process) if command_of(p).startswith(names)]


def raylets_of(process: int) -> list[psutil.Process]:
    """The Ray node of a driver's local cluster."""
    return [p for p in family_of(process) if "/raylet/raylet " in command_of(p)]


VICTIMS: dict[str, Callable[[int], list[psutil.Process]]] = {
    "driver": lambda driver: [psutil.Process(driver)],
    "worker": workers_of,
    "raylet": raylets_of,
}
moments: set[tuple[str, ...]] = set()
due: list[str] = []
seen: Counter[str] = Counter()


def happens(phase: str, event: str) -> None:
    """Kills whoever is due, as soon as there is one of that kind."""
    seen[f"{phase}/{event}"] += 1
    now = f"{phase}/{event}/{seen[f'{phase}/{event}']}"
    due.extend(kind for kind in VICTIMS if (kind, now) in moments)
    for kind in list(due):
        victims = VICTIMS[kind](os.getpid())
        if victims:
            due.remove(kind)
            print("family", *(p.pid for p in family_of(os.getpid())), flush=True)
            victims[0].kill()


issue, absorb, close = Driver.issue, Driver.absorb, Ledger.close


def watched_issue(self: Driver, ray_trial_id: str) -> Suggestion | None:
    suggestion = issue(self, ray_trial_id)
    if suggestion is not None:
        happens(suggestion.phase, "issue")
    return suggestion


def watched_absorb(self: Driver, ray_trial_id: str, result: dict[str, Any]) -> bool:
    if ray_trial_id in self.running:
        happens(self.running[ray_trial_id].phase, "report")
    return absorb(self, ray_trial_id, result)


def watched_close(self: Ledger, ray_trial_id: str, *arguments: Any, **options: Any) -> Any:
    if ray_trial_id in self._issued:
        happens(self._issued[ray_trial_id].suggestion.phase, "close")
    return close(self, ray_trial_id, *arguments, **options)


if __name__ == "__main__":
    moments |= {tuple(text.split("/", 1)) for text in sys.argv[1:] if "=" not in text}
    overrides = [text for text in sys.argv[1:] if "=" in text]
    patched: Any = Driver
    patched.issue, patched.absorb = watched_issue, watched_absorb
    patched = Ledger
    patched.close = watched_close
    small = quick(num_trials=4, max_epochs=8)
    sys.exit(run_study("digits", overrides=[*small, *overrides]).exit_code)
