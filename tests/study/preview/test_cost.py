"""What `study show` counts without weights is what real models have and take."""

import itertools
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import load_space
from study.preview.cost import model_costs, network_cost, num_prior_parameters
from trainables.config import (
    DcganNetworkConfig,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    ImageFormat,
    NetworkConfig,
    PlainNetworkConfig,
    PriorConfig,
    ReferenceNetworkConfig,
    ResnetNetworkConfig,
)
from trainables.config.model import NETWORK_SIZES
from trainables.networks import build_decoder, build_encoder, num_parameters
from trainables.priors import build_prior

NETWORKS: tuple[NetworkConfig, ...] = (
    PlainNetworkConfig(), ReferenceNetworkConfig(), DcganNetworkConfig(), ResnetNetworkConfig(),
)  # fmt: skip
PRIORS: tuple[PriorConfig, ...] = (
    GaussianPriorConfig(),
    FlowPriorConfig(),
    FlowPriorConfig(num_transforms=5, hidden_size=100, num_layers=2),
    DiffusionPriorConfig(),
    DiffusionPriorConfig(network="residual", hidden_size=64, num_layers=2),
    DiffusionPriorConfig(variance="learned"),
    DiffusionPriorConfig(variance="learned", network="residual", time_embedding_size=32),
    DiffusionPriorConfig.model_validate({"beta_schedule": {"kind": "cosine", "num_steps": 25}}),
)
CASES = [
    (network, ImageFormat(channels=channels, size=size), latent_size)
    for network in NETWORKS
    for size in NETWORK_SIZES[network.kind]
    for channels, latent_size in ((1, 2), (3, 40))
]


@pytest.mark.parametrize(
    ("network", "image", "latent_size"),
    CASES,
    ids=[f"{n.kind}-{i.channels}x{i.size}-{d}" for n, i, d in CASES],
)
def test_the_counts_of_networks_are_those_of_real_ones(
    network: NetworkConfig, image: ImageFormat, latent_size: int
) -> None:
    encoder = build_encoder(network, image, latent_size).eval()
    decoder = build_decoder(network, image, latent_size, image.channels).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(torch.zeros(1, image.channels, image.size, image.size))
        decoder(torch.zeros(1, latent_size))
    assert network_cost(network, image, latent_size) == (
        num_parameters(encoder), num_parameters(decoder), counter.get_total_flops(),
    )  # fmt: skip


@pytest.mark.parametrize(("prior", "latent_size"), list(itertools.product(PRIORS, (2, 8, 40))))
def test_the_counts_of_priors_are_those_of_real_ones(prior: PriorConfig, latent_size: int) -> None:
    real = num_parameters(build_prior(prior, latent_size))
    assert num_prior_parameters(prior, latent_size) == real


def test_counting_leaves_the_initialisers_as_they_are() -> None:
    model_costs(load_space("digits"))
    weight = torch.full((3, 3), 7.0)
    assert torch.nn.init.zeros_(weight).abs().max() == 0


SHOWN = """
import io, sys
from rich.console import Console
from search_spaces import load_space
from study.preview.space import show_space
show_space(load_space("table1"), Console(file=io.StringIO()))
print(sorted({"torch._dynamo", "torchvision", "ray", "optuna", "mlflow"} & set(sys.modules)))
"""


def test_showing_a_space_loads_neither_torchs_compiler_nor_another_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
