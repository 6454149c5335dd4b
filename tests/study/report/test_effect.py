"""What variants move: against scipy's own answers and by hand."""

import io
import math

import pytest
from rich.console import Console

from search_spaces import Stratum, StudySpec, load_space
from study.record import Cost, TestResult, TrialRecord
from study.report.effect import effects, render_effects
from study.report.table import build_table

A, B = (30.0, 32.0, 35.0, 31.0), (25.0, 26.0, 24.5)


def seeds_of(spec: StudySpec, stratum: Stratum, variant: str, fids: tuple[float, ...]) -> list:
    config = spec.trial_config(stratum, spec.variants[variant]).model_dump(mode="json")
    return [
        TrialRecord(
            "confirm", stratum, number, config | {"seed": number}, (), "COMPLETE", "",
            Cost(1, 1.0),
            value=fid, attributes={"variant": variant, "slot": [variant, number]},
            test=TestResult(fid, 400.0, {"features": "made up"}),
        )
        for number, fid in enumerate(fids)
    ]  # fmt: skip


@pytest.fixture
def spec() -> StudySpec:
    return load_space("ablation_published", ["strata.prior=gaussian,flow"])


def test_each_variant_is_set_against_the_first_of_its_stratum(spec: StudySpec) -> None:
    gaussian, flow = spec.cells()
    records = [
        *seeds_of(spec, gaussian, "exact", A),
        *seeds_of(spec, gaussian, "gaussian_kl", B),
        *seeds_of(spec, gaussian, "plateau", A[::-1]),
        *seeds_of(spec, flow, "exact", B),
        *seeds_of(spec, flow, "entropy_constant", A),
    ]
    found = {
        (e.cell.stratum.prior, e.cell.variant): e
        for e in effects(build_table(spec, records))
        if e.cell.tests
    }
    assert {key: e.verdict for key, e in found.items()} == {
        ("gaussian", "gaussian_kl"): "lower",
        ("gaussian", "plateau"): "cannot tell",
        ("flow", "entropy_constant"): "higher",
    }
    difference = math.fsum(B) / 3 - math.fsum(A) / 4
    assert found["gaussian", "gaussian_kl"].difference == pytest.approx(difference)


def test_a_variant_that_changes_nothing_is_not_trained(spec: StudySpec) -> None:
    gaussian, flow = spec.cells()
    assert "entropy_constant" not in spec.variants_of(gaussian)
    assert "gaussian_kl" not in spec.variants_of(flow)
    shared = {
        "exact", "published", "sum_of_squares", "gradient_clip", "plateau", "latent_widths",
        "exponential_scale",
    }  # fmt: skip
    assert set(spec.variants_of(gaussian)) == shared | {"gaussian_kl"}
    assert set(spec.variants_of(flow)) == shared | {"entropy_constant"}
    assert spec.num_confirmed(gaussian) == 7


def test_the_terminal_shows_what_moves(spec: StudySpec) -> None:
    gaussian = spec.cells()[0]
    records = [*seeds_of(spec, gaussian, "exact", A), *seeds_of(spec, gaussian, "gaussian_kl", B)]
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(render_effects(build_table(spec, records)))
    text = console.export_text()
    assert "base" in text
    assert "−6.83" in text
    assert "lower" in text
