"""What a space's models weigh, and what training them takes, counted without training.

Models are built without filling their weights, and a batch of no images is sent through encoder
and decoder: nothing is computed, and each layer's operations follow from the shapes that pass it.
torch's meta device and its own counter tell the same, but take seconds to load. A training step
takes three times the forward pass.
"""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from search_spaces import Stratum, StudySpec
from trainables.config import Departures, ImageFormat, NetworkConfig, PriorConfig
from trainables.networks import build_decoder, build_encoder, num_parameters
from trainables.priors import build_prior

# Training parts as they come out of preparation: digits three fifths of 1,797 images, CIFAR-10
# nine tenths of its 50,000, CelebA its official part.
TRAIN_IMAGES = {"digits": 1079, "cifar10": 45_000, "celeba": 162_770}
ALL_IMAGES = {"digits": 1797, "cifar10": 60_000, "celeba": 202_599}


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One stratum's model, as the space has it before the search changes anything.

    Attributes:
        stratum: dataset, prior and latent size.
        encoder: number of parameters.
        decoder: number of parameters.
        prior: number of parameters.
        operations_per_image: floating-point operations of one training step, for each image.
        num_images: images of the training part; None where the set is not known.
    """

    stratum: Stratum
    encoder: int
    decoder: int
    prior: int
    operations_per_image: float
    num_images: int | None

    @property
    def operations_per_epoch(self) -> float | None:
        """Floating-point operations of one epoch of training."""
        return None if self.num_images is None else self.operations_per_image * self.num_images


def model_costs(spec: StudySpec) -> list[ModelCost]:
    """The models of a space, stratum by stratum; of variants the first."""
    return [_model_cost(spec, stratum) for stratum in spec.cells()]


def _model_cost(spec: StudySpec, stratum: Stratum) -> ModelCost:
    variants = spec.variants_of(stratum)
    config = spec.trial_config(stratum, next(iter(variants.values()), {}))
    encoder, decoder, operations = network_cost(
        config.network, config.data.format, config.latent_size
    )
    num_prior = num_prior_parameters(config.prior, config.latent_size, config.departures)
    return ModelCost(
        stratum,
        encoder,
        decoder,
        num_prior,
        # A linear layer takes two operations for each of its weights.
        3 * (operations + 2 * num_prior),
        _num_images(spec, stratum.dataset),
    )


def num_prior_parameters(
    prior: PriorConfig, latent_size: int, departures: Departures | None = None
) -> int:
    """How many numbers of a prior training moves."""
    with _Uninitialised():
        return num_parameters(build_prior(prior, latent_size, departures=departures))


@functools.cache
def network_cost(
    network: NetworkConfig, image: ImageFormat, latent_size: int
) -> tuple[int, int, int]:
    """Parameters of encoder and decoder, and operations of one image's way through both."""
    with _Uninitialised():
        encoder = build_encoder(network, image, latent_size).eval()
        decoder = build_decoder(network, image, latent_size, image.channels).eval()
        with torch.no_grad(), _counted(encoder, decoder) as operations:
            encoder(torch.empty(0, image.channels, image.size, image.size))
            decoder(torch.empty(0, latent_size))
    return num_parameters(encoder), num_parameters(decoder), sum(operations)


class _Uninitialised(TorchFunctionMode):
    """Inside, torch's initialisers leave tensors as they are: their shape is all we need."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def _counted(*networks: nn.Module) -> Iterator[list[int]]:
    """A list of the operations of each layer that is called inside."""
    operations: list[int] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        operations.append(_operations(layer, given[0], output))

    handles = [
        layer.register_forward_hook(note)
        for network in networks
        for layer in network.modules()
        if isinstance(layer, _COUNTED)
    ]
    try:
        yield operations
    finally:
        for handle in handles:
            handle.remove()


_COUNTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def _operations(layer: nn.Module, given: Tensor, output: Tensor) -> int:
    """Of one image: two, to multiply and to add, for each weight at each place that it meets."""
    match layer:
        case nn.Linear():
            places, weights = math.prod(output.shape[1:]), layer.in_features
        case nn.ConvTranspose2d():
            places = math.prod(given.shape[1:])
            weights = layer.out_channels // layer.groups * math.prod(layer.kernel_size)
        case nn.Conv2d():
            places = math.prod(output.shape[1:])
            weights = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
        case _:
            raise AssertionError(layer)
    return 2 * places * weights


def _num_images(spec: StudySpec, dataset: str) -> int | None:
    if dataset not in TRAIN_IMAGES:
        return None
    if spec.data.num_images is None:
        return TRAIN_IMAGES[dataset]
    return round(TRAIN_IMAGES[dataset] * spec.data.num_images / ALL_IMAGES[dataset])
