"""A config is refused at the door or trusted for good."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from trainables.config import KNOWN_FORMATS, PRIOR_KINDS, BetaScheduleConfig, TrialConfig

VALUES: dict[str, Any] = {
    "data": {"dataset": "digits"},
    "latent_size": 8,
    "prior": {"kind": "diffusion"},
    "max_epochs": 8,
    "rungs": [2, 4],
}


def config_with(path: str, value: object) -> TrialConfig:
    """The config with one field, by dotted name, set to a value."""
    values: dict[str, Any] = TrialConfig.model_validate(VALUES).model_dump()
    *parents, name = path.split(".")
    group = values
    for parent in parents:
        group = group[parent]
    group[name] = value
    return TrialConfig.model_validate(values)


BAD = [
    ("latent_size", 0), ("latent_size", -8), ("latent_size", 65537), ("latent_size", 8.5),
    ("max_epochs", 0), ("seed", -1), ("seed", 2**63), ("objective", "mse"),
    ("data.dataset", "../digits"), ("data.dataset", ""), ("data.num_images", 0),
    ("data.format.channels", 0), ("data.format.size", 3), ("data.format.num_levels", 257),
    ("likelihood.scale", 0), ("likelihood.scale", "guess"), ("likelihood.scale_floor", 0),
    ("network.num_channels", 0), ("kl_annealing.warmup", 0), ("kl_annealing.warmup", 1.1),
    ("kl_annealing.kind", "sine"), ("kl_annealing.num_cycles", 0),
    ("optimizer.learning_rate", 0), ("optimizer.learning_rate", math.nan),
    ("optimizer.learning_rate", math.inf), ("optimizer.batch_size", 0),
    ("optimizer.gradient_clip", 0), ("fid.num_samples", 1), ("fid.features", "vgg"),
    ("prior.kind", "vampire"), ("prior.hidden_size", 0), ("prior.time_embedding_size", 3),
    ("prior.variance", "none"), ("prior.beta_schedule.num_steps", 0),
    ("rungs", [4, 2]), ("rungs", [2, 2]), ("rungs", [2, 8]), ("rungs", [0]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), BAD)
def test_a_value_out_of_bounds_is_refused(path: str, value: object) -> None:
    with pytest.raises(ValidationError):
        config_with(path, value)


GROUPS = ["", "data.", "data.format.", "prior.", "prior.beta_schedule.", "likelihood.",
          "network.", "kl_annealing.", "optimizer.", "fid."]  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_an_unknown_field_is_an_error_everywhere(group: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        config_with(f"{group}misspelt", 1)


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_of_a_config_changes(group: str) -> None:
    part: Any = TrialConfig.model_validate(VALUES)
    for name in group.split(".")[:-1]:
        part = getattr(part, name)
    field = next(iter(type(part).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(part, field, getattr(part, field))


@pytest.mark.parametrize("kind", PRIOR_KINDS)
def test_a_config_survives_json(kind: str) -> None:
    config = TrialConfig.model_validate(VALUES | {"prior": {"kind": kind}})
    assert config.prior.kind == kind
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("name", KNOWN_FORMATS)
def test_a_known_data_set_needs_no_format(name: str) -> None:
    config = TrialConfig.model_validate(VALUES | {"data": {"dataset": name}})
    assert config.data.format == KNOWN_FORMATS[name]


def test_an_unknown_data_set_needs_its_format() -> None:
    with pytest.raises(ValidationError, match="format"):
        TrialConfig.model_validate(VALUES | {"data": {"dataset": "mine"}})


@pytest.mark.parametrize(("kind", "least"), [("linear", 21), ("cosine", 2)])
def test_a_schedule_has_a_least_number_of_steps(kind: str, least: int) -> None:
    assert BetaScheduleConfig.model_validate({"kind": kind, "num_steps": least})
    with pytest.raises(ValidationError, match=f"num_steps.*got.*{least - 1}"):
        BetaScheduleConfig.model_validate({"kind": kind, "num_steps": least - 1})


def test_rungs_and_the_last_epoch_are_evaluated() -> None:
    assert TrialConfig.model_validate(VALUES).evaluated_epochs == (2, 4, 8)
    assert config_with("rungs", []).evaluated_epochs == (8,)


def test_an_image_has_a_dimension_per_value() -> None:
    assert KNOWN_FORMATS["cifar10"].num_dimensions == 3072
