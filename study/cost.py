"""What a space's models weigh, and what training them takes, counted without training.

Encoder and decoder are built on torch's meta device, which holds no numbers; one image is carried
through them while torch counts the operations. A training step takes three times the forward pass.
"""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import Stratum, StudySpec
from trainables.config import TrialConfig
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
    prior = build_prior(config.prior, config.latent_size, departures=config.departures)
    encoder, decoder, operations = _networks(config)
    num_prior = num_parameters(prior)
    return ModelCost(
        stratum,
        encoder,
        decoder,
        num_prior,
        # A linear layer takes two operations for each of its weights.
        3 * (operations + 2 * num_prior),
        _num_images(spec, stratum.dataset),
    )


def _networks(config: TrialConfig) -> tuple[int, int, int]:
    image, latent_size = config.data.format, config.latent_size
    with torch.device("meta"):
        encoder = build_encoder(config.network, image, latent_size).eval()
        decoder = build_decoder(config.network, image, latent_size, image.channels).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            encoder(torch.empty(1, image.channels, image.size, image.size))
            decoder(torch.empty(1, latent_size))
    return num_parameters(encoder), num_parameters(decoder), counter.get_total_flops()


def _num_images(spec: StudySpec, dataset: str) -> int | None:
    if dataset not in TRAIN_IMAGES:
        return None
    if spec.data.num_images is None:
        return TRAIN_IMAGES[dataset]
    return round(TRAIN_IMAGES[dataset] * spec.data.num_images / ALL_IMAGES[dataset])
