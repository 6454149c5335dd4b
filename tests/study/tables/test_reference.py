from dataclasses import replace

import pytest

from search_spaces import load_space
from study.record import TrialRecord
from study.report.caption import caption_facts
from study.tables.reference import classifier_ranks, reference_biases
from study.tables.table import build_table
from tests.study.made_up import confirm_seeds

SPEC = load_space("digits", ["strata.latent_size=8"])
GAUSSIAN, FLOW, DIFFUSION = SPEC.cells()
# By seed, then by classifier; the third classifier has the diffusion ahead of the flow.
FIDS = {
    GAUSSIAN: [(60.0, 70.0, 80.0), (62.0, 72.0, 82.0)],
    FLOW: [(20.0, 24.0, 40.0), (22.0, 26.0, 44.0)],
    DIFFUSION: [(30.0, 34.0, 36.0), (32.0, 36.0, 38.0)],
}


def records(num_classifiers: int = 3) -> list[TrialRecord]:
    found = []
    for stratum, fids in FIDS.items():
        cut = [own[:num_classifiers] for own in fids]
        seeds = confirm_seeds(
            stratum, [own[0] for own in fids], real_fid=4.57, classifier_fids=cut
        )
        protocol = {"features": "classifier", "num_reference_images": 359}
        found += [replace(r, test=r.test and replace(r.test, protocol=protocol)) for r in seeds]
    return found


def test_priors_are_ranked_under_each_classifier() -> None:
    grid = classifier_ranks(build_table(SPEC, records()))
    rows = {row["prior"]: row for row in grid.rows}
    ranks = {p: [row[f"rank_{n}"] for n in (1, 2, 3)] for p, row in rows.items()}
    assert ranks == {"gaussian": [3, 3, 3], "flow": [1, 1, 2], "diffusion": [2, 2, 1]}
    assert {p: row["first"] for p, row in rows.items()} == {
        "gaussian": "0 of 3", "flow": "2 of 3", "diffusion": "1 of 3",
    }  # fmt: skip
    assert (rows["flow"]["fid_low"], rows["flow"]["fid_high"]) == (21.0, 42.0)
    assert grid.headers[3:6] == ("classifier 1", "classifier 2", "classifier 3")


@pytest.mark.parametrize("num_classifiers", [0, 1])
def test_one_classifier_ranks_nothing_against_another(num_classifiers: int) -> None:
    assert not classifier_ranks(build_table(SPEC, records(num_classifiers))).rows


def test_the_bias_of_the_reference_is_told_with_its_number_of_images() -> None:
    table = build_table(SPEC, records())
    (text,) = reference_biases(table)
    assert "on digits, train images against the 359 images of the test split" in text
    assert "4.57" in text
    assert "On digits, train images" in classifier_ranks(table).caption
    assert ("real images", text) in caption_facts(SPEC, table, "", {})


def test_an_old_study_says_nothing_of_a_bias_it_did_not_measure() -> None:
    old = [replace(r, test=r.test and replace(r.test, real_fid=None)) for r in records()]
    assert not reference_biases(build_table(SPEC, old))
