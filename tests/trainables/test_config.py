"""A config is refused at the door or trusted for good."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from trainables.config import (
    KNOWN_FORMATS,
    BetaScheduleConfig,
    DataConfig,
    TrialConfig,
    prior_kinds,
)

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
    ("network.num_channels", 0), ("network.kind", "dcgan"), ("network.kind", "vgg"),
    ("likelihood.kind", "discretized_logistic"), ("likelihood.kind", "sum_of_squares"),
    ("data.dequantise", False), ("data.resize", 48), ("departures.gaussian_kl", "hm"),
    ("kl_annealing.final_weight", -1), ("kl_annealing.free_bits", -0.1),
    ("optimizer.ema_decay", 1.0), ("optimizer.schedule.kind", "step"),
    ("optimizer.schedule.factor", 1.0), ("prior.prediction", "score"),
    ("prior.sampler.num_steps", 10), ("prior.sampler.kind", "euler"),
    ("prior.sampler.eta", 1.5), ("prior.times", "all"), ("prior.weighting", "none"),
    ("kl_annealing.warmup", 0), ("kl_annealing.warmup", 1.1),
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


GROUPS = ["", "data.", "data.format.", "prior.", "prior.beta_schedule.", "prior.sampler.",
          "likelihood.", "network.", "kl_annealing.", "optimizer.", "optimizer.schedule.", "fid.",
          "departures."]  # fmt: skip


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


@pytest.mark.parametrize("kind", prior_kinds())
def test_a_config_survives_json(kind: str) -> None:
    config = TrialConfig.model_validate(VALUES | {"prior": {"kind": kind}})
    assert config.prior.kind == kind
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("name", KNOWN_FORMATS)
def test_a_known_data_set_needs_no_format(name: str) -> None:
    config = DataConfig.model_validate({"dataset": name})
    assert config.format == KNOWN_FORMATS[name]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_28_pixels_need_another_size_for_every_network(name: str) -> None:
    with pytest.raises(ValidationError, match=r"28.*data\.resize brings them to 32 or 64"):
        TrialConfig.model_validate(VALUES | {"data": {"dataset": name}})
    config = TrialConfig.model_validate(VALUES | {"data": {"dataset": name, "resize": 32}})
    assert config.data.format.size == 32


def test_an_unknown_data_set_needs_its_format() -> None:
    with pytest.raises(ValidationError, match="format"):
        TrialConfig.model_validate(VALUES | {"data": {"dataset": "mine"}})


@pytest.mark.parametrize(
    ("kind", "least"), [("linear", 21), ("quadratic", 21), ("sigmoid", 21), ("cosine", 2)]
)
def test_a_schedule_has_a_least_number_of_steps(kind: str, least: int) -> None:
    assert BetaScheduleConfig.model_validate({"kind": kind, "num_steps": least})
    with pytest.raises(ValidationError, match=f"num_steps.*got.*{least - 1}"):
        BetaScheduleConfig.model_validate({"kind": kind, "num_steps": least - 1})


def test_rungs_and_the_last_epoch_are_evaluated() -> None:
    assert TrialConfig.model_validate(VALUES).evaluated_epochs == (2, 4, 8)
    assert config_with("rungs", []).evaluated_epochs == (8,)


def test_an_image_has_a_dimension_per_value() -> None:
    assert KNOWN_FORMATS["cifar10"].num_dimensions == 3072


def test_the_sampler_takes_no_more_steps_than_the_chain_has() -> None:
    with pytest.raises(ValidationError, match="2000 steps of a chain that has 1000"):
        config_with("prior.sampler", {"kind": "ddim", "num_steps": 2000})


def published(prior: str, **fields: Any) -> TrialConfig:
    values = VALUES | {"objective": "published", "prior": {"kind": prior}}
    return TrialConfig.model_validate(values | fields)


OF_PRIOR = {
    "gaussian": {"gaussian_kl"},
    "flow": {"entropy_constant", "flow_clamp"},
    "diffusion": {"diffusion_weight", "index_shift", "entropy_constant"},
}
OF_ALL = {"sum_of_squares", "gradient_clip", "plateau", "latent_widths", "exponential_scale"}


def departed(config: TrialConfig) -> set[str]:
    return {name for name, value in config.departures.model_dump().items() if value}


@pytest.mark.parametrize("prior", OF_PRIOR)
def test_published_departs_wherever_it_concerns_the_prior(prior: str) -> None:
    assert departed(published(prior)) == OF_PRIOR[prior] | OF_ALL
    assert not published(prior).has_bound


@pytest.mark.parametrize("prior", OF_PRIOR)
def test_exact_departs_nowhere(prior: str) -> None:
    config = TrialConfig.model_validate(VALUES | {"prior": {"kind": prior}})
    assert departed(config) == set()
    assert config.has_bound


@pytest.mark.parametrize("name", sorted(OF_PRIOR["diffusion"] | OF_ALL))
def test_each_departure_is_switched_alone(name: str) -> None:
    alone = TrialConfig.model_validate(VALUES | {"departures": {name: True}})
    assert departed(alone) == {name}
    without = published("diffusion", departures={name: False})
    assert departed(without) == departed(published("diffusion")) - {name}


def test_a_departure_that_does_not_concern_the_prior_changes_nothing() -> None:
    other = TrialConfig.model_validate(VALUES | {"departures": {"gaussian_kl": True}})
    assert other == TrialConfig.model_validate(VALUES)


def test_departures_replace_the_fields_that_they_concern() -> None:
    config = published("gaussian", optimizer={"gradient_clip": 100, "batch_size": 7})
    assert config.likelihood.kind == "sum_of_squares"
    assert config.optimizer.gradient_clip == 0.25
    assert config.optimizer.batch_size == 7
    assert config.optimizer.schedule.kind == "plateau"
    assert config.optimizer.schedule.watch == "train"
    assert getattr(config.network, "latent_widths", None) is True


@pytest.mark.parametrize("name", ["gradient_clip", "plateau", "latent_widths"])
def test_a_departure_in_training_alone_leaves_the_bound(name: str) -> None:
    assert TrialConfig.model_validate(VALUES | {"departures": {name: True}}).has_bound


@pytest.mark.parametrize("prior", OF_PRIOR)
def test_a_published_config_survives_json(prior: str) -> None:
    config = published(prior)
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config


def test_a_network_without_such_widths_departs_in_the_rest() -> None:
    cifar10 = {"data": {"dataset": "cifar10"}, "network": {"kind": "dcgan"}}
    assert departed(published("flow", **cifar10)) == {
        "entropy_constant",
        "flow_clamp",
    } | OF_ALL - {"latent_widths"}
    with pytest.raises(ValidationError, match="latent_widths"):
        published("flow", **cifar10, departures={"latent_widths": True})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"network": {"kind": "resnet"}}, "takes images of size 32, 64, but those of digits"),
        ({"likelihood": {"kind": "discretized_logistic"}}, "256 levels, but digits has 17"),
        ({"data": {"dataset": "digits", "dequantise": False}}, "learned scale needs data.deq"),
        ({"likelihood": {"kind": "sum_of_squares"}}, "is not a density"),
        (
            {"objective": "published", "prior": {"kind": "diffusion", "variance": "learned"}},
            "leaves the variance out of the loss",
        ),
        (
            {"objective": "published", "prior": {"kind": "diffusion", "weighting": "simple"}},
            "a weighting of its own",
        ),
        (
            {
                "departures": {"index_shift": True},
                "prior": {
                    "kind": "diffusion",
                    "beta_schedule": {"kind": "linear", "rescale": False, "num_steps": 1},
                },
            },
            "num_steps >= 2, got 1",
        ),
        (
            {"data": {"dataset": "cifar10", "resize": 64, "format": {"channels": 3, "size": 32}}},
            "its size needs to be 64, got 32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TrialConfig.model_validate(VALUES | fields)


def test_a_known_data_set_is_as_large_as_it_is_resized_to() -> None:
    config = TrialConfig.model_validate(VALUES | {"data": {"dataset": "cifar10", "resize": 64}})
    assert config.data.format.size == 64


@pytest.mark.parametrize(("features", "needed"), [("classifier", 33), ("pixels", 65)])
def test_more_samples_than_features_are_demanded_with_the_remedy(
    features: str, needed: int
) -> None:
    values = {
        "data": {"dataset": "digits"}, "latent_size": 2, "prior": {"kind": "gaussian"},
        "max_epochs": 1,
    }  # fmt: skip
    fid = {"features": features, "num_samples": needed}
    TrialConfig.model_validate(values | {"fid": fid})
    with pytest.raises(ValueError, match=rf"fid\.num_samples has .*take at least {needed}"):
        TrialConfig.model_validate(values | {"fid": fid | {"num_samples": needed - 1}})
