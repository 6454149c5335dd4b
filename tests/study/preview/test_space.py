"""What `study show` says of a space."""

import io

import pytest
from rich.console import Console

from search_spaces import load_space
from study.preview.cost import model_costs
from study.preview.end_signal import chain_notes
from study.preview.space import epochs, show_space


def shown(space: str, *overrides: str) -> str:
    console = Console(width=140, file=io.StringIO(), record=True)
    show_space(load_space(space, overrides), console)
    return console.export_text()


@pytest.mark.parametrize(
    "space", ["ablation_published", "beta_schedules", "digits", "kl_annealing", "num_steps"]
)
def test_a_space_is_shown_with_all_its_strata_and_its_cost(space: str) -> None:
    text = shown(space)
    for stratum in load_space(space).cells():
        assert f"\n{stratum} " in text
    assert "epochs:" in text
    assert "cost:" in text


def test_the_reference_network_takes_the_work_that_was_measured_for_it() -> None:
    """435 million operations for one 32 × 32 image at latent size 100, the priors 2 % at most."""
    costs = model_costs(load_space("table1_paper", ["strata.dataset=cifar10"]))
    by_stratum = {(c.stratum.prior, c.stratum.latent_size): c for c in costs}
    gaussian = by_stratum["gaussian", 100].operations_per_image
    assert gaussian == pytest.approx(435e6, rel=0.01)
    for prior in ("flow", "diffusion"):
        assert 1 < by_stratum[prior, 100].operations_per_image / gaussian < 1.02


def test_the_encoder_of_the_reference_grows_with_the_latent_size() -> None:
    costs = model_costs(load_space("table1_paper", ["strata.dataset=cifar10"]))
    gaussian = [cost for cost in costs if cost.stratum.prior == "gaussian"]
    assert gaussian[0].encoder < gaussian[1].encoder / 4 < gaussian[2].encoder / 4
    assert [cost.prior for cost in gaussian] == [0, 0, 0]


def test_the_epochs_of_a_stratum_are_those_of_its_budget() -> None:
    digits = load_space("digits")
    least, most = epochs(digits, digits.cells()[0])
    assert (least, most) == (6 * 5 + 3 * 30, 6 * 30 + 3 * 30)
    ablation = load_space("ablation_published")
    assert epochs(ablation, ablation.cells()[0]) == (8 * 5 * 30, 8 * 5 * 30)


@pytest.mark.parametrize(
    ("overrides", "least", "most", "words"),
    [
        (["search.num_repeats=2"], 6 * 5 + 3 * 30, 6 * 30 + 3 * 30, "12 configs × 3 seeds, 36"),
        (["confirm.num_configs=2"], 6 * 5 + 9 * 30, 6 * 30 + 9 * 30,
         "12 configs × 3 seeds, then 3 fresh seeds of each chosen config, 54 trials"),
        (["confirm.num_configs=2", "confirm.by=fid,elbo"], 6 * 5 + 9 * 30, 6 * 30 + 18 * 30,
         "12 to 24 configs × 3 seeds, then 3 fresh seeds of each chosen config, 54 to 108"),
        (["confirm.num_configs=5", "confirm.by=fid,elbo"], 6 * 5 + 18 * 30, 6 * 30 + 24 * 30,
         "30 to 36 configs"),
    ],
)  # fmt: skip
def test_what_is_confirmed_is_told_with_the_seeds_that_choose(
    overrides: list[str], least: int, most: int, words: str
) -> None:
    spec, text = load_space("digits", overrides), shown("digits", *overrides)
    assert epochs(spec, spec.cells()[0]) == (least, most)
    num_searches = len(spec.searches())
    assert f"{num_searches * most:,} at most, {num_searches * least:,} at least" in text
    assert words in " ".join(text.split())
    assert ("2 repeats of each" in text) == (spec.search.num_repeats == 2)


def test_a_chain_that_ends_early_is_told() -> None:
    assert chain_notes(load_space("digits")) == []
    notes = chain_notes(load_space("beta_schedules"))
    assert len(notes) == 1
    assert "linear_not_rescaled: after 100 steps 36%" in notes[0]
    assert "note" in shown("digits", "priors.diffusion.beta_schedule.rescale=false")


def test_an_unknown_data_set_has_no_cost_yet() -> None:
    assert "unknown until every data set is prepared" in shown("num_steps", "strata.dataset=mine")
