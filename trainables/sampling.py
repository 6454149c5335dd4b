"""Images drawn from a model, with noise that depends on a seed alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import UInt8
from torch import Tensor

from trainables.level import quantise
from trainables.measurement import DivergenceError
from trainables.seed import derive_seed
from trainables.vae import VAE

BATCH = 500


@contextmanager
def random_stream(*parts: object) -> Iterator[None]:
    """Inside, random numbers depend on `parts` alone; outside, nothing was drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(*parts))
        yield


def sample_images(
    model: VAE, num_samples: int, num_levels: int, seed: int = 0
) -> UInt8[Tensor, "num channels height width"]:
    """Images on the CPU, quantised to levels; the same noise for every model of one latent size.

    Raises:
        DivergenceError: a sampled value is not finite.
    """
    model.eval()
    sizes = [min(BATCH, num_samples - start) for start in range(0, num_samples, BATCH)]
    with torch.no_grad(), random_stream("samples", seed):
        return torch.cat([_sample_batch(model, size, num_levels) for size in sizes])


def _sample_batch(
    model: VAE, size: int, num_levels: int
) -> UInt8[Tensor, "num channels height width"]:
    x = model.sample(size)
    if not torch.isfinite(x).all():
        raise DivergenceError("a sampled image is not finite")
    return quantise(x, num_levels).cpu()
