"""The spaces that repeat the paper are what the paper's code was, whatever defaults become."""

import json
from typing import Any

import pytest

from search_spaces import Stratum, load_space

NO_DEPARTURE = {
    "gaussian_kl": False, "diffusion_weight": False, "index_shift": False,
    "entropy_constant": False, "sum_of_squares": True, "gradient_clip": True, "plateau": True,
    "latent_widths": True, "flow_clamp": False, "exponential_scale": True,
}  # fmt: skip
PRIORS: dict[str, tuple[dict[str, Any], dict[str, bool]]] = {
    "gaussian": ({"kind": "gaussian"}, {"gaussian_kl": True}),
    "flow": (
        {"kind": "flow", "num_transforms": 3, "hidden_size": 300, "num_layers": 4},
        {"entropy_constant": True, "flow_clamp": True},
    ),
    "diffusion": (
        {
            "kind": "diffusion",
            "beta_schedule": {"kind": "linear", "num_steps": 1000, "rescale": True},
            "variance": "posterior", "prediction": "epsilon", "weighting": "exact",
            "times": "uniform", "network": "mlp", "hidden_size": 300, "num_layers": 3,
            "time_embedding_size": 100,
            "sampler": {"kind": "ancestral", "num_steps": None, "eta": 0.0},
        },
        {"diffusion_weight": True, "index_shift": True, "entropy_constant": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("prior", PRIORS)
def test_table1_paper_is_resolved_as_the_paper_was_made(prior: str) -> None:
    config = load_space("table1_paper").trial_config(Stratum("cifar10", prior, 100), {})
    values = json.loads(config.model_dump_json())
    expected_prior, departures = PRIORS[prior]
    assert values == {
        "revision": 2,
        "objective": "published",
        "departures": NO_DEPARTURE | departures,
        "data": values["data"],
        "latent_size": 100,
        "prior": expected_prior,
        "likelihood": {"kind": "sum_of_squares"},
        "network": {"kind": "reference", "latent_widths": True},
        "kl_annealing": {
            "kind": "none", "warmup": 0.25, "num_cycles": 4, "final_weight": 1.0,
            "free_bits": 0.0, "free_bits_of": "total",
        },
        "optimizer": {
            "learning_rate": 0.0005, "batch_size": 100, "gradient_clip": 0.25, "ema_decay": None,
            "schedule": {
                "kind": "plateau", "factor": 0.5, "patience": 10, "threshold": 0.1,
                "watch": "train",
            },
        },
        "fid": values["fid"],
        "evidence": values["evidence"],
        "max_epochs": 250,
        "rungs": [],
        "seed": 0,
    }  # fmt: skip
    assert values["data"]["flip"] is True
    assert values["data"]["dequantise"] is True


@pytest.mark.parametrize("name", load_space("ablation_published").variants)
def test_exact_rows_of_the_ablation_pay_nothing_for_their_variance(name: str) -> None:
    space = load_space("ablation_published")
    stratum = Stratum("digits", "diffusion", 16)
    prior = space.trial_config(stratum, space.variants[name]).prior.model_dump()
    assert prior["variance"] == ("posterior" if name == "published" else "beta")
    assert (prior["prediction"], prior["times"]) == ("epsilon", "uniform")


def test_the_ablation_has_every_departure() -> None:
    space = load_space("ablation_published")
    departures = {name for name in space.variants if name not in ("exact", "published")}
    assert departures == set(NO_DEPARTURE)
