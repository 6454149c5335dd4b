"""The names that notebooks and outside checks import stay where they are."""

from importlib import import_module

import pytest

PROMISED = [
    ("trainables.config", "TrialConfig"),
    ("trainables.config", "PriorConfig"),
    ("trainables.beta_schedule", "build_beta_schedule"),
    ("trainables.beta_schedule", "BetaSchedule"),
    ("trainables.kl_annealing", "kl_weight"),
    ("trainables.priors", "build_prior"),
    ("trainables.priors", "Prior"),
    ("trainables.vae", "build_vae"),
    ("trainables.fid", "FeatureStatistics"),
    ("trainables.fid", "feature_statistics"),
    ("trainables.fid", "frechet_distance"),
    ("trainables.data", "load_dataset"),
    ("trainables.data", "ImageDataset"),
    ("trainables.training", "Trainer"),
    ("search_spaces", "load_space"),
    ("study", "run_study"),
    ("study.ledger", "Ledger"),
    ("study.record", "load_records"),
    ("study.record", "TrialRecord"),
]


@pytest.mark.parametrize(("module", "name"), PROMISED)
def test_a_promised_name_is_where_it_was(module: str, name: str) -> None:
    assert getattr(import_module(module), name).__name__


@pytest.mark.parametrize(
    "module", ["study", "study.ledger", "study.record", "trainables.data", "trainables.training"]
)
def test_a_face_has_no_other_names(module: str) -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        import_module(module).nothing_like_it  # noqa: B018 - the look-up is what is tested
