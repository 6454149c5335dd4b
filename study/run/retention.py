"""What a study keeps of its trials' checkpoints: of a trial that ended, the newest valid one."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.ledger import Ended, TrialFacts
from trainables.checkpoint import ENDED, seal
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion


class Retention:
    """Seals the folder of each trial that ends; an observer of the driver.

    Sealing also keeps a worker that was cut off, and comes back, from writing there.
    """

    def __init__(self, study_folder: Path) -> None:
        """Takes the folder that holds `trials/`."""
        self._folder = study_folder

    def make_up(self, trials: Iterable[TrialFacts]) -> None:
        """Seals what had ended when a driver was killed."""
        for trial in trials:
            path = Path("trials", trial.phase, str(trial.stratum), str(trial.number))
            folder = self._folder / path
            if trial.state != "RUNNING" and not (folder / ENDED).exists():
                seal(folder)

    def began(self, ray_trial_id: str, suggestion: Suggestion) -> None:
        """Nothing: every attempt claims its own folder."""

    def measured(self, suggestion: Suggestion, measurements: Sequence[Measurement]) -> None:
        """Nothing: a worker discards its own old checkpoints."""

    def ended(self, suggestion: Suggestion, ended: Ended, test: Mapping[str, Any] | None) -> None:
        """A trial that is not issued again is sealed."""
        if suggestion.phase != "test" and ended.state != "LOST":
            seal(self._folder / suggestion.trial_path)
