"""What variants move: against scipy's own answers and by hand."""

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from scipy.stats import ttest_1samp

from search_spaces import Stratum, StudySpec, load_space
from study.record import TrialRecord
from study.tables.comparison import compare
from study.tables.table import Table, build_table
from study.tables.variant import Effect, effects, render_effects, variants
from tests.study.made_up import confirm_seeds
from tests.study.walk import Walk

A, B = (30.0, 32.0, 35.0, 31.0), (25.0, 26.0, 24.5, 25.5)


def seeds_of(
    spec: StudySpec, stratum: Stratum, variant: str, fids: Sequence[float], first_seed: int = 0
) -> list[TrialRecord]:
    config = spec.trial_config(stratum, spec.variants[variant]).model_dump(mode="json")
    records = confirm_seeds(stratum, fids, slot=variant, attributes={"variant": variant})
    return [replace(r, config=config | {"seed": first_seed + r.number}) for r in records]


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
    of_pairs = [b - a for a, b in zip(A, B, strict=True)]
    effect = found["gaussian", "gaussian_kl"]
    assert effect.difference == pytest.approx(math.fsum(of_pairs) / 4)
    assert effect.interval == pytest.approx(
        tuple(ttest_1samp(of_pairs, 0).confidence_interval(0.95))
    )


def effect_of(variant: str, table: Table) -> Effect:
    (found,) = [e for e in effects(table) if e.cell.variant == variant and e.cell.tests]
    return found


def test_what_a_seed_does_to_two_variants_cancels(spec: StudySpec) -> None:
    stratum = spec.cells()[0]
    base = (30.0, 60.0, 90.0, 45.0)
    better = [fid - shift for fid, shift in zip(base, (2.0, 2.5, 3.0, 2.2), strict=True)]
    records = [
        *seeds_of(spec, stratum, "exact", base), *seeds_of(spec, stratum, "gaussian_kl", better),
    ]  # fmt: skip
    effect = effect_of("gaussian_kl", build_table(spec, records))
    assert (effect.verdict, effect.method) == ("lower", "pairs")
    welch = compare(effect.cell.test_fids, effect.base.test_fids)
    assert welch is not None
    assert welch.verdict == "cannot tell"


def test_variants_of_other_seeds_are_compared_as_welch_does_and_say_so(spec: StudySpec) -> None:
    stratum = spec.cells()[0]
    # One seed in common is not a pair of two.
    records = [
        *seeds_of(spec, stratum, "exact", A),
        *seeds_of(spec, stratum, "gaussian_kl", B, first_seed=len(A) - 1),
    ]
    table = build_table(spec, records)
    effect = effect_of("gaussian_kl", table)
    assert (effect.comparison, effect.method) == (compare(B, A), "Welch")
    rows = {row["variant"]: row for row in variants(table).rows}
    assert rows["gaussian_kl"]["method"] == "Welch"


def test_the_ledger_gives_the_variants_of_a_stratum_the_same_seeds(tmp_path: Path) -> None:
    spec = load_space("ablation_published", [
        "strata.prior=gaussian,flow", "confirm.num_seeds=3", "budget.max_epochs=2",
    ])  # fmt: skip
    confirm = Walk(spec, f"journal:{tmp_path / 'ledger'}").run().trials
    seeds: dict[Stratum, dict[str, set[int]]] = {}
    for trial in confirm:
        variant, _ = trial.attributes["slot"]
        seeds.setdefault(trial.stratum, {}).setdefault(variant, set()).add(trial.config["seed"])
    of_stratum = []
    for by_variant in seeds.values():
        assert len(by_variant) > 2
        first, *others = by_variant.values()
        assert len(first) == 3
        assert all(other == first for other in others)
        of_stratum.append(first)
    gaussian, flow = of_stratum
    assert gaussian.isdisjoint(flow)  # two priors are independent samples


def test_a_variant_that_changes_nothing_is_not_trained(spec: StudySpec) -> None:
    gaussian, flow = spec.cells()
    assert "entropy_constant" not in spec.variants_of(gaussian)
    assert "gaussian_kl" not in spec.variants_of(flow)
    of_one = {"gaussian_kl", "entropy_constant", "flow_clamp", "diffusion_weight", "index_shift"}
    shared = set(spec.variants) - of_one
    assert set(spec.variants_of(gaussian)) == shared | {"gaussian_kl"}
    assert set(spec.variants_of(flow)) == shared | {"entropy_constant", "flow_clamp"}
    assert spec.num_confirmed(gaussian) == len(shared) + 1


def test_the_terminal_shows_what_moves(spec: StudySpec) -> None:
    gaussian = spec.cells()[0]
    records = [*seeds_of(spec, gaussian, "exact", A), *seeds_of(spec, gaussian, "gaussian_kl", B)]
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(render_effects(build_table(spec, records)))
    text = console.export_text()
    assert "base" in text
    assert "−6.75" in text
    assert "lower" in text
