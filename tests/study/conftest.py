"""Records of studies that nobody ran, with numbers that look like those on digits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imsave
from numpy.random import Generator, default_rng

from search_spaces import Choice, Stratum, StudySpec, load_space
from study.ledger.phase import Phase, State
from study.record import Cost, TestResult, TrialRecord
from tests.study.lasting_storage import postgresql  # noqa: F401  # a fixture of this folder
from trainables.measurement import Measurement

MakeRecords = Callable[..., list[TrialRecord]]
PROTOCOL = {
    "features": "classifier", "num_samples": 2000, "reference": "test",
    "num_reference_images": 359,
    "fingerprint": "9f2c4be1d07a4a6f8c1b3e5d7f9012349f2c4be1d07a4a6f", "precision": "float64",
}  # fmt: skip
FINAL_FID = {"gaussian": 52.0, "flow": 24.0, "diffusion": 31.0}
FINAL_ELBO = {"gaussian": -19.0, "flow": -14.5, "diffusion": -16.0}


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process wrote stays in the page cache; only a lost host needs the sync."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="session")
def spec() -> StudySpec:
    return load_space("digits")


@pytest.fixture(scope="session")
def synthetic_records() -> MakeRecords:
    return make_records


def make_records(
    spec: StudySpec,
    *,
    num_seeds: int = 3,
    num_trials: int | None = None,
    folder: Path | None = None,
) -> list[TrialRecord]:
    """A finished study; with `folder`, every trial leaves its sample grid below it."""
    rng = default_rng(0)
    wanted = spec.budget.trials_per_stratum if num_trials is None else num_trials
    records = []
    for stratum in spec.searches():
        states: list[State] = ["PRUNED" if n in (2, 4, 5) else "COMPLETE" for n in range(wanted)]
        search = [_trial(spec, stratum, "search", n, s, rng) for n, s in enumerate(states)]
        seeds = [_trial(spec, stratum, "confirm", n, "COMPLETE", rng) for n in range(num_seeds)]
        config = seeds[0].config if seeds else {}
        records += search
        records += [replace(_tested(r, rng), config=config | {"seed": r.number}) for r in seeds]
    if folder is not None:
        for record in records:
            _leave_samples(folder / str(record.folder), rng)
    return records


def _trial(
    spec: StudySpec, stratum: Stratum, phase: Phase, number: int, state: State, rng: Generator
) -> TrialRecord:
    max_epochs = spec.budget.max_epochs
    last = spec.budget.rungs[-1] if state == "PRUNED" else max_epochs
    penalty = abs(rng.normal(0, 3)) if phase == "search" else rng.normal(0, 0.3)
    evaluated = [e for e in (*spec.budget.rungs, max_epochs) if e <= last]
    fids = {e: _final_fid(stratum) * (1 + 2 * np.exp(-e / 8)) + penalty for e in evaluated}
    curve = tuple(_epoch(stratum, e, penalty, fids.get(e), rng) for e in range(1, last + 1))
    return TrialRecord(
        phase, stratum, number, _config(spec, stratum, rng), curve, state, "",
        Cost(last, sum(m.seconds for m in curve)), rungs=fids,
        decisions={epoch: epoch == last and state == "PRUNED" for epoch in fids},
        value=fids[last], folder=f"trials/{phase}/{stratum}/{number}/1",
    )  # fmt: skip


def _epoch(
    stratum: Stratum, epoch: int, penalty: float, fid: float | None, rng: Generator
) -> Measurement:
    end = FINAL_ELBO[stratum.prior] + 0.5 * (stratum.latent_size - 8)
    elbo = end - 45 * np.exp(-epoch / 7) - 0.4 * penalty + rng.normal(0, 0.25)
    rate = (1.6 * stratum.latent_size + 8) * (1 - np.exp(-epoch / 5)) + penalty
    return Measurement(
        epoch=epoch, rate=rate, distortion=-elbo - rate, elbo=elbo, bits_per_dim=3.0,
        train_rate=rate, train_distortion=-elbo - rate, kl_weight=1.0, seconds=0.31,
        val_fid=fid, best_epoch=None if fid is None else epoch,
    )  # fmt: skip


def _tested(record: TrialRecord, rng: Generator) -> TrialRecord:
    fid = (record.value or 0.0) + 1.5 + rng.normal(0, 0.8)
    test = TestResult(
        fid, 400 + rng.normal(0, 9), dict(PROTOCOL), kid=0.1, precision=0.7, recall=0.6,
        reconstruction_fid=fid / 3, aggregate_fid=fid / 2, fid_noise=0.5, hole_fid=fid / 2,
        real_fid=4.57, classifier_fids=(fid, 1.3 * fid, 0.7 * fid + 4), **_bound(record),
    )  # fmt: skip
    return replace(record, test=test)


def _bound(record: TrialRecord) -> dict[str, Any]:
    """A test ELBO near that of validation, 7 nats below log p(x)."""
    best = max(record.measurements, key=lambda measurement: measurement.elbo or 0.0)
    elbo = (best.elbo or 0.0) - 0.4
    return {
        "test_elbo": elbo, "test_rate": best.rate, "test_distortion": best.distortion + 0.4,
        "test_elbo_error": 0.3, "evidence": elbo + 7, "evidence_error": 0.3,
        "evidence_tenth": elbo + 6.7, "effective_samples": 20.0, "evidence_elbo": elbo,
        "looseness": 7.0, "looseness_error": 0.1, "evidence_samples": 100, "evidence_images": 100,
    }  # fmt: skip


def _final_fid(stratum: Stratum) -> float:
    return FINAL_FID[stratum.prior] * float((8 / stratum.latent_size) ** 0.15)


def _config(spec: StudySpec, stratum: Stratum, rng: Generator) -> dict[str, object]:
    drawn = {
        path: domain.values[int(rng.integers(len(domain.values)))]
        if isinstance(domain, Choice)
        else domain.low
        for path, domain in spec.domains_of(stratum).items()
    }
    return spec.trial_config(stratum, drawn).model_dump(mode="json")


def _leave_samples(folder: Path, rng: Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grid = np.kron(rng.random((16, 16)), np.ones((4, 4)))
    imsave(folder / "samples.png", grid, cmap="gray")
