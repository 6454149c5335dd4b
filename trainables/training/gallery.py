"""Pictures of a trial for people: samples, reconstructions, interpolations.

Noise and images are the same for every trial of a data set and latent size, so that the pictures
of two trials compare cell by cell.
"""

import torch
from jaxtyping import UInt8
from torch import Tensor

from trainables.config import DataConfig
from trainables.training.image_grid import image_grid
from trainables.training.sampling import interpolate_images, reconstruct_images
from trainables.vae import VAE

SIDE = 8
Images = UInt8[Tensor, "num channels height width"]


def sample_pictures(samples: Images, epoch: int, num_levels: int) -> dict[str, bytes]:
    """The first samples, under the name of their epoch and as the newest."""
    grid = image_grid(samples[: SIDE * SIDE].numpy(), num_levels)
    return {"samples.png": grid, f"samples-{epoch:06d}.png": grid}


def model_pictures(model: VAE, images: Images, config: DataConfig) -> dict[str, bytes]:
    """Held-out images above their reconstructions, and the way from one image to another.

    Args:
        model: the VAE.
        images: the first of them are shown.
        config: how levels become x.

    Raises:
        DivergenceError: a value is not finite.
    """
    num_pairs = min(SIDE, len(images) // 2)
    pictures = {"reconstructions.png": _reconstructions(model, images, config)}
    if num_pairs:
        starts, ends = images[: 2 * num_pairs : 2], images[1 : 2 * num_pairs : 2]
        between = interpolate_images(model, starts, ends, SIDE, config)
        grid = image_grid(between.numpy(), config.format.num_levels, SIDE)
        pictures["interpolations.png"] = grid
    return pictures


def _reconstructions(model: VAE, images: Images, config: DataConfig) -> bytes:
    """A row of images, below it the row of their reconstructions, and so on."""
    num_whole_rows = min(SIDE // 2, len(images) // SIDE)
    shown = images[: num_whole_rows * SIDE or len(images)]
    again = reconstruct_images(model, shown, config)
    pairs = zip(shown.cpu().split(SIDE), again.split(SIDE), strict=True)
    rows = torch.cat([row for pair in pairs for row in pair])
    return image_grid(rows.numpy(), config.format.num_levels, min(SIDE, len(shown)))
