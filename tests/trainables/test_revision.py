"""What stored configs mean: those from before there were revisions keep numbers and hashes."""

import copy
import hashlib
import json
from typing import Any

import pytest

from trainables.checkpoint import config_hash
from trainables.config import TrialConfig, hashed_values

# As the version before revisions stored it, and its hash of then.
STORED: dict[str, Any] = {
    "objective": "exact",
    "departures": {
        "gaussian_kl": False, "diffusion_weight": False, "index_shift": False,
        "entropy_constant": False, "sum_of_squares": False, "gradient_clip": False,
        "plateau": False, "latent_widths": False,
    },
    "data": {
        "dataset": "digits", "num_images": None, "resize": None, "dequantise": True,
        "flip": False, "split_seed": 0,
        "format": {"channels": 1, "size": 8, "num_levels": 17}, "fingerprint": None,
    },
    "latent_size": 8,
    "prior": {
        "kind": "diffusion",
        "beta_schedule": {"kind": "cosine", "num_steps": 50, "rescale": True},
        "variance": "beta", "prediction": "epsilon", "weighting": "exact", "times": "importance",
        "network": "mlp", "hidden_size": 128, "num_layers": 3, "time_embedding_size": 100,
        "sampler": {"kind": "ancestral", "num_steps": None, "eta": 0.0},
    },
    "likelihood": {"kind": "gaussian", "scale": "learned", "scale_floor": 0.01},
    "network": {"kind": "plain", "num_channels": 16, "latent_widths": False},
    "kl_annealing": {
        "kind": "none", "warmup": 0.25, "num_cycles": 4, "final_weight": 1.0, "free_bits": 0.1,
    },
    "optimizer": {
        "learning_rate": 0.002, "batch_size": 64, "gradient_clip": 100.0, "ema_decay": None,
        "schedule": {
            "kind": "none", "factor": 0.5, "patience": 10, "threshold": 0.001,
            "watch": "validation",
        },
    },
    "fid": {
        "features": "classifier", "num_samples": 2000, "classifier_epochs": 30,
        "classifier_dataset": None, "weights": None,
    },
    "max_epochs": 30, "rungs": [5, 10, 20], "seed": 3,
}  # fmt: skip


def hash_of_then(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def test_a_config_stored_before_revisions_keeps_its_hash() -> None:
    config = TrialConfig.from_stored(STORED)
    assert config.revision == 1
    assert hashed_values(config.model_dump(mode="json")) == STORED
    assert config_hash(config) == hash_of_then(STORED)


def test_a_config_stored_before_revisions_means_what_it_did() -> None:
    config = TrialConfig.from_stored(STORED)
    assert config.evidence.num_images == 0
    assert config.fid.num_classifiers == 1
    again = TrialConfig.from_stored(json.loads(config.model_dump_json()))
    assert again == config


def test_a_published_config_of_then_has_no_departure_that_came_later() -> None:
    stored = copy.deepcopy(STORED) | {"objective": "published"}
    stored["departures"] |= {"gradient_clip": True, "diffusion_weight": True}
    stored["optimizer"]["gradient_clip"] = 0.25
    config = TrialConfig.from_stored(stored)
    assert config.departures.flow_clamp is config.departures.exponential_scale is False
    assert config_hash(config) == hash_of_then(stored)


def test_a_new_config_has_the_newest_revision_and_a_hash_of_its_own() -> None:
    new = TrialConfig.model_validate({**STORED, "departures": {}})
    assert new.revision == 2
    assert config_hash(new) != hash_of_then(STORED)
    assert TrialConfig.from_stored(new.model_dump(mode="json")) == new


@pytest.mark.parametrize(
    ("field", "value"),
    [("evidence.num_images", 7), ("kl_annealing.free_bits_of", "dimension"),
     ("departures.exponential_scale", True), ("revision", 1)],
)  # fmt: skip
def test_a_field_that_came_later_changes_the_hash_where_it_changes_the_meaning(
    field: str, value: object
) -> None:
    values = TrialConfig.model_validate(
        {**STORED, "departures": {}, "prior": {"kind": "gaussian"}}
    ).model_dump(mode="json")
    before = config_hash(TrialConfig.model_validate(values))
    *groups, name = field.split(".")
    group = values
    for part in groups:
        group = group[part]
    group[name] = value
    assert config_hash(TrialConfig.model_validate(values)) != before


def test_the_published_objective_has_the_published_diffusion_where_nothing_is_asked() -> None:
    def prior(**fields: object) -> Any:
        values = {"prior": {"kind": "diffusion", **fields}, "objective": "published"}
        new = {**STORED, "departures": {}, "kl_annealing": {}} | values
        return TrialConfig.model_validate(new).prior

    assert (prior().prediction, prior().times, prior().variance) == (
        "epsilon", "uniform", "posterior",
    )  # fmt: skip
    assert prior(prediction="v").prediction == "v"
