"""A result on the test split, as the ledger gives it back."""

import json
from dataclasses import asdict, fields, replace

import pytest

from study.record import TEST_PARTS, TestResult
from trainables.training.test_score import HeldOutScore

OLD = {"test_fid": 9.0, "untrained_fid": 90.0, "protocol": {"features": "pixels"}}
SCORE = HeldOutScore(
    **OLD, kid=0.1, precision=0.2, recall=0.3, reconstruction_fid=4.0, aggregate_fid=5.0,
    fid_noise=0.6, hole_fid=7.0, real_fid=1.0, classifier_fids=(9.0, 8.0), test_elbo=-20.0,
    test_rate=12.0, test_distortion=8.0, test_elbo_error=0.5, evidence=-15.0, evidence_error=0.9,
    evidence_tenth=-15.4, effective_samples=20.0, evidence_elbo=-21.0, looseness=6.0,
    looseness_error=0.2, evidence_samples=100, evidence_images=50,
)  # fmt: skip
RESULT = TestResult(**asdict(SCORE))


def test_a_score_is_the_same_result_after_json() -> None:
    assert TestResult(**json.loads(json.dumps(asdict(SCORE)))) == RESULT
    assert RESULT.classifier_fids == (9.0, 8.0)


def test_a_score_and_a_result_have_the_same_fields() -> None:
    names, others = ([f.name for f in fields(kind)] for kind in (HeldOutScore, TestResult))
    assert names == others


def test_the_ledger_of_an_earlier_version_is_read() -> None:
    old = TestResult(**OLD)
    assert old.metrics() == {"test_fid": 9.0}
    assert (old.classifier_fids, old.prior_hole, old.evidence_is_converged) == ((), None, None)


def test_the_hole_is_the_difference_where_it_was_not_measured() -> None:
    assert RESULT.prior_hole == 7.0
    assert replace(RESULT, hole_fid=None).prior_hole == 9.0 - 5.0


@pytest.mark.parametrize(
    ("tenth", "effective_samples", "is_converged"),
    [(-15.4, 20.0, True), (-15.6, 20.0, False), (-15.4, 4.9, False), (-15.5, 5.0, True)],
)
def test_an_evidence_converges_where_more_samples_would_not_change_it(
    tenth: float, effective_samples: float, is_converged: bool
) -> None:
    result = replace(RESULT, evidence_tenth=tenth, effective_samples=effective_samples)
    assert result.evidence_is_converged == is_converged


def test_every_number_of_a_result_is_a_metric() -> None:
    assert set(RESULT.metrics()) == {"test_fid", *TEST_PARTS}
    settings = {"protocol", "untrained_fid", "classifier_fids", "evidence_samples"}
    told = {"prior_hole" if name == "hole_fid" else name for name in asdict(RESULT)}
    assert told - set(RESULT.metrics()) == settings | {"evidence_images"}
