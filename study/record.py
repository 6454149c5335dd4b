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
# An estimate of log p(x) that a tenth of the draws moves by more nats, or that rests on fewer
# draws, has not converged.
MOST_DRIFT = 0.5
FEWEST_EFFECTIVE_SAMPLES = 5.0


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
        hole_fid: FID between samples and decoded draws from the posteriors of the train images:
            what the prior misses of q(z); lower is better.
        test_elbo: of the test images, nats per image; higher is better.
        test_rate: its rate.
        test_distortion: its distortion.
        test_elbo_error: standard error of the test ELBO as a mean over the test images, nats.
        evidence: importance-weighted estimate of log p(x), nats per image, whose expectation lies
            below it; higher is better.
        evidence_error: its standard error over images, nats.
        evidence_tenth: the same estimate with a tenth of the draws.
        effective_samples: median over images of the draws' effective number, 1 to K.
        evidence_elbo: ELBO of the same images, nats per image.
        looseness: evidence minus that ELBO, nats per image: what the bound gives away; lower is
            better.
        looseness_error: its standard error over images, nats.
        evidence_samples: draws for each image, K.
        evidence_images: number of images of the evidence.
        real_fid: FID of real train images to the test split: the bias of the reference.
        classifier_fids: test FID with the features of classifiers from several seeds, the
            protocol's own first; empty where there is one.

    What a ledger of an earlier version lacks is None; so is what a model does not have.
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
    hole_fid: float | None = None
    test_elbo: float | None = None
    test_rate: float | None = None
    test_distortion: float | None = None
    test_elbo_error: float | None = None
    evidence: float | None = None
    evidence_error: float | None = None
    evidence_tenth: float | None = None
    effective_samples: float | None = None
    evidence_elbo: float | None = None
    looseness: float | None = None
    looseness_error: float | None = None
    evidence_samples: int | None = None
    evidence_images: int | None = None
    real_fid: float | None = None
    classifier_fids: tuple[float, ...] = ()

    @property
    def prior_hole(self) -> float | None:
        """What the prior misses of q(z), as a FID; lower is better.

        Earlier versions did not measure it: there it is test FID minus aggregate FID.
        """
        if self.hole_fid is not None or self.aggregate_fid is None:
            return self.hole_fid
        return self.test_fid - self.aggregate_fid

    @property
    def has_converged(self) -> bool | None:
        """Whether more draws would hardly move the evidence; None where there is none."""
        if self.evidence is None or self.evidence_tenth is None or self.effective_samples is None:
            return None
        drift = abs(self.evidence - self.evidence_tenth)
        return drift <= MOST_DRIFT and self.effective_samples >= FEWEST_EFFECTIVE_SAMPLES

    def metrics(self) -> dict[str, float]:
        """Every number that there is, by name."""
        values = {name: getattr(self, name) for name in ("test_fid", *TEST_PARTS)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        phase: search or confirm.
        stratum: the cell of the table that it belongs to.
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
            val_protocol: that of its validation FIDs, by field; retests: why this config was
            tested after another of its stratum had been).
        test: its result on the test split, for confirmed seeds of the chosen config.
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
