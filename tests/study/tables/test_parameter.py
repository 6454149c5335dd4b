"""Parameters counted from a file of weights, against those of the model itself."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from search_spaces import load_space
from study.tables.parameter import WEIGHTS, num_parameters
from trainables.config import DiffusionPriorConfig, TrialConfig
from trainables.networks import num_parameters as num_moved
from trainables.vae import build_vae


def configs() -> dict[str, TrialConfig]:
    """Every prior, every network, and each kind of reverse variance."""
    found = {}
    kinds: list[dict[str, Any]] = [
        {},
        {"prior.variance": "analytic"},
        {"prior.variance": "learned"},
    ]
    for stratum in load_space("digits", ["strata.latent_size=8"]).cells():
        for overrides in kinds if stratum.prior == "diffusion" else [{}]:
            config = load_space("digits").trial_config(stratum, overrides)
            found[f"{stratum.prior} {list(overrides.values())}"] = config
    for network in ("dcgan", "resnet", "reference"):
        spec = load_space("table1", ["strata.dataset=cifar10", "strata.latent_size=40",
                                     f"network={{kind: {network}}}"])  # fmt: skip
        found[network] = spec.trial_config(spec.cells()[0], {})
    spec = load_space("table1_paper", ["strata.latent_size=40"])
    found["published flow"] = spec.trial_config(spec.cells()[1], {})
    return found


CONFIGS = configs()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_what_training_moves_is_counted_and_nothing_else(
    config: TrialConfig, tmp_path: Path
) -> None:
    model = build_vae(config)
    save_file({n: v.contiguous() for n, v in model.state_dict().items()}, tmp_path / WEIGHTS)
    counted = num_parameters(tmp_path)
    assert counted is not None
    assert sum(counted.values()) == num_moved(model)
    assert counted.get("prior", 0) == num_moved(model.prior)


def test_there_is_a_diffusion_with_numbers_that_training_does_not_move() -> None:
    priors = [config.prior for config in CONFIGS.values()]
    assert "analytic" in {p.variance for p in priors if isinstance(p, DiffusionPriorConfig)}


def test_without_readable_weights_nothing_is_counted(tmp_path: Path) -> None:
    assert num_parameters(tmp_path) is None
    assert num_parameters(tmp_path / "nowhere") is None
    (tmp_path / WEIGHTS).write_bytes(b"no weights at all")
    assert num_parameters(tmp_path) is None
