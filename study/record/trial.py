"""A trial as tables see it: the ledger's facts joined with the trial's own history."""

from dataclasses import dataclass, field
from typing import Any

from search_spaces import Stratum
from study.ledger.phase import Phase, State
from trainables.convergence import is_converged
from trainables.measurement import Measurement

FID_PARTS = (
    "reconstruction_fid", "aggregate_fid", "prior_hole", "fid_noise", "kid", "precision", "recall",
    "real_fid",
)  # fmt: skip
BOUND_PARTS = (
    "test_elbo", "test_rate", "test_distortion", "test_elbo_error", "evidence", "evidence_error",
    "evidence_tenth", "effective_samples", "evidence_elbo", "looseness", "looseness_error",
)  # fmt: skip
TEST_PARTS = (*FID_PARTS, *BOUND_PARTS)


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
        hole_fid: FID of the samples against as many decoded draws from the posteriors of the
            train images; lower is better.
        real_fid: FID of train images against the test split, as many as samples, as far as there
            are: what a perfect model would have.
        classifier_fids: the test FID with the features of each of several classifiers, trained
            from different seeds; the first is that of the protocol. Empty where one was asked for.
        test_elbo: the bound over the test split, nats per image; higher is better.
        test_rate: its KL(q(z|x) || p(z)) or upper bound on it, nats per image; lower is better.
        test_distortion: its E_q[-log p(x|z)], nats per image; lower is better.
        test_elbo_error: standard error of test_elbo over images, nats.
        evidence: importance-weighted estimate of log p(x) for the first test images, in
            expectation never above it, nats per image; higher is better.
        evidence_error: its standard error over images, nats.
        evidence_tenth: the same estimate with a tenth of the samples, nats per image.
        effective_samples: effective number of samples of an image's estimate, the median over
            images; at most evidence_samples.
        evidence_elbo: the bound for the same images, nats per image; higher is better.
        looseness: evidence minus evidence_elbo, the bound's own part of an ELBO's gap, nats per
            image; lower is tighter.
        looseness_error: its standard error over images, nats.
        evidence_samples: samples for each image.
        evidence_images: how many images.

    What concerns the bound is None where there is none, and the evidence where the config asks
    for no images or the prior offers no weight. Ledgers of earlier versions, and trials of
    revision 1, lack all from hole_fid on; the first versions all from kid on.
    """

    __test__ = False  # pytest: this is not a test class

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
    real_fid: float | None = None
    classifier_fids: tuple[float, ...] = ()
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

    def __post_init__(self) -> None:
        # A list where it came through JSON.
        object.__setattr__(self, "classifier_fids", tuple(self.classifier_fids))

    @property
    def prior_hole(self) -> float | None:
        """What the prior misses of q(z): hole_fid; lower is better.

        Without one, as in revision 1, test FID minus aggregate FID.
        """
        if self.hole_fid is not None:
            return self.hole_fid
        return None if self.aggregate_fid is None else self.test_fid - self.aggregate_fid

    @property
    def evidence_is_converged(self) -> bool | None:
        """Whether more samples would hardly change the evidence; None where there is none."""
        if self.evidence is None or self.evidence_tenth is None or self.effective_samples is None:
            return None
        return is_converged(self.evidence, self.evidence_tenth, self.effective_samples)

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
