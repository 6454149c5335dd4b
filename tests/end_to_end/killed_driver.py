"""Runs a small digits study whose driver kills itself, as `kill -9` would, at a given moment.

    killed_driver.py PHASE EVENT COUNT

PHASE is search, confirm or test; at the COUNT-th EVENT of that phase the process is gone:

    issue    a trial was issued, and nothing more
    report   a worker has written its checkpoint and returned; nobody has read the result yet
    close    the ledger has a trial's last result, but not its end
    never    the study runs to its end
"""

import os
import signal
import sys
from typing import Any

from study import run_study
from study.driver import Driver
from study.ledger import Ledger
from trainables.suggestion import Suggestion

OVERRIDES = [
    "strata.latent_size=8",
    "budget.trials_per_stratum=4",
    "budget.max_epochs=8",
    "budget.first_rung=2",
    "confirm.num_seeds=2",
    "fid.classifier_epochs=3",
    "fid.num_samples=500",
]
moment: list[str] = []  # phase, event and count, from the command line
seen = 0


def die_if(phase: str, event: str) -> None:
    global seen
    if [phase, event] == moment[:2]:
        seen += 1
        if seen == int(moment[2]):
            os.kill(os.getpid(), signal.SIGKILL)


issue, absorb, close = Driver.issue, Driver.absorb, Ledger.close


def killed_issue(self: Driver, ray_trial_id: str) -> Suggestion | None:
    suggestion = issue(self, ray_trial_id)
    if suggestion is not None:
        die_if(suggestion.phase, "issue")
    return suggestion


def killed_absorb(self: Driver, ray_trial_id: str, result: dict[str, Any]) -> bool:
    if ray_trial_id in self.running:
        die_if(self.running[ray_trial_id].phase, "report")
    return absorb(self, ray_trial_id, result)


def killed_close(self: Ledger, ray_trial_id: str, *arguments: Any, **options: Any) -> Any:
    if ray_trial_id in self._issued:
        die_if(self._issued[ray_trial_id].suggestion.phase, "close")
    return close(self, ray_trial_id, *arguments, **options)


if __name__ == "__main__":
    moment += sys.argv[1:]
    patched: Any = Driver
    patched.issue, patched.absorb = killed_issue, killed_absorb
    patched = Ledger
    patched.close = killed_close
    sys.exit(run_study("digits", overrides=OVERRIDES).exit_code)
