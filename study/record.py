"""A trial as the report sees it: the ledger's facts joined with the trial's own history."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from search_spaces import Stratum
from trainables.measurement import Measurement

Phase = Literal["search", "confirm"]
State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
TEST_PARTS = (
    "reconstruction_fid", "aggregate_fid", "prior_hole", "fid_noise", "kid", "precision", "recall",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trial took.

    Attributes:
        epochs: epochs trained, those lost to interruptions not counted.
        seconds: training and evaluation time of these epochs.
    """

    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TestResult:
    """One confirm seed against the test split, computed once.

    Attributes:
        test_fid: Fréchet distance to the test split; lower is better.
        untrained_fid: the same distance for the same model before training.
        protocol: the protocol of all, by field.
        kid: kernel distance of the same samples, unbiased; lower is better.
        precision: share of the samples that look like test images; higher is better.
        recall: share of the test images that look like samples; higher is better.
        reconstruction_fid: FID of the test images through encoder and decoder, one for each.
        aggregate_fid: FID of decoded draws from the posteriors of the train images.
        fid_noise: standard deviation of the test FID over draws of samples.

    Ledgers of earlier versions lack the last six.
    """

    __test__ = False  # pytest: this is no test class

    test_fid: float
    untrained_fid: float
    protocol: dict[str, Any]
    kid: float | None = None
    precision: float | None = None
    recall: float | None = None
    reconstruction_fid: float | None = None
    aggregate_fid: float | None = None
    fid_noise: float | None = None

    @property
    def prior_hole(self) -> float | None:
        """Test FID minus aggregate FID: what the prior misses of q(z); lower is better."""
        return None if self.aggregate_fid is None else self.test_fid - self.aggregate_fid

    def metrics(self) -> dict[str, float]:
        """Every number that there is, by name."""
        values = {name: getattr(self, name) for name in ("test_fid", *TEST_PARTS)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        phase: search or confirm.
        stratum: the cell of the table that it belongs to, and which repeat of its search.
        number: its number within phase and stratum.
        config: its full config as plain values; empty if it was killed while being asked.
        measurements: one per epoch, ascending.
        state: its state in the ledger.
        reason: why it ended so; empty where there is nothing to say.
        cost: what it took.
        rungs: validation FID by rung's epoch, as the ledger has it.
        decisions: by rung's epoch, whether the pruner stopped it there.
        value: the objective told to the sampler, the validation FID of the last rung.
        attributes: other facts of the ledger (attempt, mlflow_run_id, control, retry_of, variant,
            val_protocol: that of its validation FIDs, by field; best_elbo: its best validation
            ELBO, nats per image; chosen_by: of a confirm trial, the criteria whose result its
            seed is part of, [] if its seed only chooses, left out before that is known; retests:
            why this config was tested after another of its stratum had been).
        test: its result on the test split, for the seeds of a chosen config that are tested.
        folder: where its newest checkpoint lies, relative to the study's folder, or None.
        started: when it was asked for, unix seconds.
        ended: when the ledger closed it, unix seconds.
    """

    phase: Phase
    stratum: Stratum
    number: int
    config: dict[str, Any]
    measurements: tuple[Measurement, ...]
    state: State
    reason: str
    cost: Cost
    rungs: dict[int, float] = field(default_factory=dict)
    decisions: dict[int, bool] = field(default_factory=dict)
    value: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    test: TestResult | None = None
    folder: str | None = None
    started: float | None = None
    ended: float | None = None


def load_records(storage: str | Path, study: str) -> list[TrialRecord]:
    """All trials of a study, as they stand: ledger facts joined with histories.

    Args:
        storage: the folder that holds the study's.
        study: its name.

    Raises:
        InputError: there is no such study.
    """
    # Here, so that whoever only needs the type does not load Optuna.
    from study.join import join_records
    from study.layout import open_layout

    return join_records(open_layout(storage, study))
