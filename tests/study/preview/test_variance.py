"""What a reverse variance costs is told before anything runs."""

from search_spaces import load_space
from study.preview.variance import variance_notes


def test_a_variance_that_costs_is_told_with_its_schedule_and_length() -> None:
    chosen = ["priors.diffusion.variance=posterior", "strata.prior=diffusion"]
    (note,) = variance_notes(load_space("digits", chosen))
    for text in (
        "posterior 2.22 nats a dimension (linear, T = 50)",
        "posterior 0.93 nats a dimension (cosine, T = 50)",
        "posterior 1.35 nats a dimension (linear, T = 100)",
    ):
        assert text in note


def test_the_default_variance_costs_nothing() -> None:
    (note,) = variance_notes(load_space("num_steps"))
    assert "beta 0.00 nats a dimension (linear, T = 1000)" in note
    assert "posterior" not in note


def test_only_the_published_row_of_the_ablation_pays_for_its_variance() -> None:
    (note,) = variance_notes(load_space("ablation_published"))
    assert "beta 0.00 nats" in note
    assert "posterior 2.22 nats" in note


def test_a_space_without_a_diffusion_has_no_such_note() -> None:
    assert variance_notes(load_space("digits", ["strata.prior=gaussian,flow"])) == []
