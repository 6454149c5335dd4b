"""Images from a model, with noise that depends on named parts alone.

What selects and what people look at has the noise of every trial, so that trials compare. A score
at the test phase has the trial's own: noise that all seeds share shifts all of them alike, is in
no deviation over seeds, and does not cancel between priors.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from trainables.config import DataConfig, TrialConfig
from trainables.level import quantise, x_from_levels
from trainables.measurement import DivergenceError
from trainables.seed import derive_seed
from trainables.vae import VAE

BATCH = 500
Noise = tuple[object, ...]
SHARED_SAMPLES: Noise = ("samples", 0)


@contextmanager
def random_stream(*parts: object) -> Iterator[None]:
    """Inside, random numbers depend on `parts` alone; outside, nothing was drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(*parts))
        yield


def score_noise(config: TrialConfig, *purpose: object, of: str = "trained") -> Noise:
    """The parts of the random stream that a score at the test phase draws from.

    Args:
        config: of the trial; under revision 1 every trial has the same noise.
        purpose: what is drawn.
        of: the model that is scored, `trained` or `untrained`.
    """
    return purpose if config.revision == 1 else (config.seed, "test", of, *purpose)


def sample_images(
    model: VAE, num_samples: int, num_levels: int, noise: Noise = SHARED_SAMPLES
) -> UInt8[Tensor, "num channels height width"]:
    """Images on the CPU, quantised to levels; the same noise for every model of one latent size.

    Args:
        model: the VAE.
        num_samples: how many images.
        num_levels: of an image.
        noise: the parts of their random stream; by default those of every trial.

    Raises:
        DivergenceError: a sampled value is not finite.
    """
    model.eval()
    sizes = [min(BATCH, num_samples - start) for start in range(0, num_samples, BATCH)]
    with torch.no_grad(), random_stream(*noise):
        return torch.cat([_sample_batch(model, size, num_levels) for size in sizes])


def first_images(
    model: VAE, num_samples: int, config: TrialConfig, seed: int = 0
) -> UInt8[Tensor, "num channels height width"]:
    """The first of the images that a FID of this config takes; few are not drawn otherwise.

    The noise of a batch depends on its size, so whole batches are drawn and cut.

    Raises:
        DivergenceError: a sampled value is not finite.
    """
    num_drawn = math.ceil(num_samples / BATCH) * BATCH
    if num_samples <= config.fid.num_samples:
        num_drawn = min(num_drawn, config.fid.num_samples)
    noise = ("samples", seed)
    return sample_images(model, num_drawn, config.data.format.num_levels, noise)[:num_samples]


def reconstruct_images(
    model: VAE,
    images: UInt8[Tensor, "num channels height width"],
    config: DataConfig,
    noise: Noise = ("reconstructions",),
) -> UInt8[Tensor, "num channels height width"]:
    """Each image through encoder and decoder, quantised to levels: what the decoder loses.

    Args:
        model: the VAE.
        images: in levels.
        config: how levels become x.
        noise: the parts of the dequantisation's random stream; by default those of every trial.

    Raises:
        DivergenceError: a value is not finite.
    """
    model.eval()
    with torch.no_grad(), random_stream(*noise):
        return _mapped(model.reconstruct, images, config)


def aggregate_images(
    model: VAE,
    images: UInt8[Tensor, "num channels height width"],
    num_samples: int,
    config: DataConfig,
    noise: Noise,
) -> UInt8[Tensor, "num_samples channels height width"]:
    """Decoded draws of z ~ q(z), the mean of the images' posteriors: what a perfect prior draws.

    Args:
        model: the VAE.
        images: whose posteriors q(z) is made of; each draw takes one of them.
        num_samples: how many draws.
        config: how levels become x.
        noise: the parts of the draws' random stream.

    Raises:
        DivergenceError: a value is not finite.
    """
    model.eval()
    with torch.no_grad(), random_stream(*noise):
        drawn = torch.randint(len(images), (num_samples,)).to(images.device)
        return _mapped(model.resample, images[drawn], config)


def interpolate_images(
    model: VAE,
    starts: UInt8[Tensor, "num channels height width"],
    ends: UInt8[Tensor, "num channels height width"],
    num_steps: int,
    config: DataConfig,
) -> UInt8[Tensor, "num_steps_each channels height width"]:
    """From each start to its end in equal steps of z, between the centres of their posteriors.

    Raises:
        DivergenceError: a value is not finite.
    """
    model.eval()
    with torch.no_grad(), random_stream("interpolations"):
        first, last = (model.posterior(x_from_levels(x, config)).mean for x in (starts, ends))
        weights = torch.linspace(0, 1, num_steps, device=first.device)[:, None]
        z = torch.lerp(first[:, None], last[:, None], weights).flatten(0, 1)
        return _levels(model.likelihood.mean(z), config.format.num_levels)


def _sample_batch(
    model: VAE, size: int, num_levels: int
) -> UInt8[Tensor, "num channels height width"]:
    return _levels(model.sample(size), num_levels)


def _mapped(
    function: Callable[[Tensor], Tensor],
    images: UInt8[Tensor, "num channels height width"],
    config: DataConfig,
) -> UInt8[Tensor, "num channels height width"]:
    batches = (x_from_levels(batch, config) for batch in images.split(BATCH))
    return torch.cat([_levels(function(x), config.format.num_levels) for x in batches])


def _levels(
    x: Float[Tensor, "num channels height width"], num_levels: int
) -> UInt8[Tensor, "num channels height width"]:
    if not torch.isfinite(x).all():
        raise DivergenceError("a sampled image is not finite")
    return quantise(x, num_levels).cpu()
