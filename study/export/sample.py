"""`study sample`, and whoever else wants images from an exported model."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from study.export.export import Export, beside, load_export
from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.file import write_atomically
from trainables.training.image_grid import image_grid
from trainables.training.sampling import first_images
from trainables.vae import VAE, build_vae


def draw_samples(path: Path, out: Path, num_samples: int, seed: int) -> None:
    """A PNG grid of images from an exported model.

    Args:
        path: the exported file; its weights lie beside it.
        out: where the PNG goes.
        num_samples: how many images.
        seed: of the noise.

    Raises:
        InputError: see `exported_model`.
    """
    samples, image = exported_samples(path, num_samples, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, image_grid(samples.numpy(), image.num_levels))


def exported_samples(
    path: Path, num_samples: int | None = None, seed: int = 0
) -> tuple[torch.Tensor, ImageFormat]:
    """Images from an exported model, and what they look like.

    Args:
        path: the exported file; its weights lie beside it.
        num_samples: how many images; by default as many as its FID took.
        seed: of the noise.

    Raises:
        InputError: see `exported_model`.
    """
    export = load_export(path)
    model, image = exported_model(path, export), export.config.data.format
    num = num_samples or export.config.fid.num_samples
    return first_images(model, num, export.config, seed), image


def exported_model(path: Path, export: Export) -> VAE:
    """The model of an exported file, with its weights.

    Raises:
        InputError: there are no weights, they are not those that the file names, or they do not
            fit its config.
    """
    if export.weights is None:
        raise InputError(f"{path} names no weights; run `study reproduce` to train the model anew")
    file = beside(path, export.weights, export.weights_sha256)
    model = build_vae(export.config)
    try:
        model.load_state_dict(load_file(file))
    except SafetensorError as error:
        raise InputError(f"{file} holds no weights: {error}") from error
    except RuntimeError as error:
        first = " ".join(str(error).splitlines()[1].split())
        raise InputError(f"{file} does not fit the config of {path.name}: {first}") from error
    return model
