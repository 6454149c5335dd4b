"""What the study asks of a worker: a trial, and where its files lie."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from trainables.config import Frozen, TrialConfig


class Suggestion(Frozen):
    """One issue of one trial.

    Attributes:
        phase: `search` and `confirm` train; `test` looks once at the test split.
        stratum: `<dataset>/<prior>/<latent_size>`.
        number: the trial's number within its phase and stratum.
        attempt: how often it was issued, from 1; its checkpoints lie under it.
        config: the choice.
    """

    phase: Literal["search", "confirm", "test"]
    stratum: str
    number: Annotated[int, Field(ge=0)]
    attempt: Annotated[int, Field(ge=0)]
    config: TrialConfig

    @property
    def seed(self) -> int:
        """The trial's seed."""
        return self.config.seed

    @property
    def trial_path(self) -> Path:
        """The trial's folder below the study's; a test belongs to its confirm trial."""
        phase = "confirm" if self.phase == "test" else self.phase
        return Path("trials", phase, self.stratum, str(self.number))

    @property
    def key(self) -> str:
        """The trial's name within the study, such as `search/digits/flow/8/3`."""
        return "/".join(self.trial_path.parts[1:])


class Workplace(Frozen):
    """Where a worker finds things, the same for all trials of a study.

    Attributes:
        study_folder: holds `trials/`.
        data_folder: prepared data sets and FID statistics.
        num_threads: threads of one trial on the CPU.
        step_seconds: a step returns after this time, between two epochs.
        plugins: files that register priors of the user's own.
        checkpoint_seconds: at most this much training is lost to a crash between two rungs, or
            within an epoch.
        disk_seconds: how long a trial waits for room on a full disk before it fails.
    """

    study_folder: str
    data_folder: str
    num_threads: PositiveInt = 1
    plugins: tuple[str, ...] = ()
    step_seconds: float = 5.0
    checkpoint_seconds: float = 60.0
    disk_seconds: float = 600.0
