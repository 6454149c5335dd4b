"""Pictures show what they say, compare between trials, and outlive an interruption."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.training.test_trainer import config
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.level import x_from_levels
from trainables.training.gallery import SIDE
from trainables.training.image_grid import GAP
from trainables.training.sampling import interpolate_images, reconstruct_images
from trainables.training.trainer import Trainer


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(config("gaussian").data)


@pytest.fixture(scope="module")
def trainer(dataset: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trained = Trainer(config("gaussian"), dataset, tmp_path_factory.mktemp("cache"))
    while not trained.is_finished:
        trained.fit_epoch()
    return trained


def cells(picture: bytes) -> np.ndarray:
    """Rows and columns of the images in a grid, each with its pixels, 0 … 255."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    size = pixels.shape[1] // SIDE
    rows = pixels.shape[0] // size
    grid = pixels.reshape(rows, size, SIDE, size).transpose(0, 2, 1, 3)
    return grid[:, :, GAP:, GAP:]


def test_every_rung_leaves_its_samples(trainer: Trainer) -> None:
    rungs = {f"samples-{epoch:06d}.png" for epoch in trainer.config.evaluated_epochs}
    assert set(trainer.pictures) == rungs | {
        "samples.png", "reconstructions.png", "interpolations.png",
    }  # fmt: skip
    last = f"samples-{trainer.config.max_epochs:06d}.png"
    assert trainer.pictures["samples.png"] == trainer.pictures[last]


def test_held_out_images_stand_above_their_reconstructions(trainer: Trainer) -> None:
    grid = cells(trainer.pictures["reconstructions.png"])
    images = trainer.validation_images[: 4 * SIDE]
    levels = trainer.dataset.num_levels - 1
    dots = grid[0::2, :, ::4, ::4].reshape(-1, 8, 8) / 255 * levels
    assert np.allclose(dots, images[:, 0].numpy(), atol=0.05)
    with trainer.best_model() as model:
        again = reconstruct_images(model, images, trainer.config.data)
    dots = grid[1::2, :, ::4, ::4].reshape(-1, 8, 8) / 255 * levels
    assert np.allclose(dots, again[:, 0].numpy(), atol=0.05)


def test_a_way_between_images_goes_in_equal_steps_of_z(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, data = trainer.validation_images[:4], trainer.config.data
    seen: list[torch.Tensor] = []
    with trainer.best_model() as model:
        decode = model.likelihood.mean
        monkeypatch.setattr(model.likelihood, "mean", lambda z: seen.append(z) or decode(z))
        assert len(interpolate_images(model, images[:2], images[2:], 5, data)) == 10
        x = x_from_levels(images, data)
        ends = model.posterior(x).mean.detach()
    ways = seen[0].reshape(2, 5, -1)
    steps = ways.diff(dim=1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-5)
    # Dequantisation draws noise, so that the ends are nearly the same.
    distance = (ways[:, [0, -1]] - ends.reshape(2, 2, -1).transpose(0, 1)).abs().mean()
    assert distance < 0.5 * (ends[:2] - ends[2:]).abs().mean()


def test_pictures_outlive_an_interruption(trainer: Trainer, tmp_path: Path) -> None:
    trainer.save(tmp_path / "epoch-000004")
    again = Trainer.load(tmp_path / "epoch-000004", trainer.dataset)
    assert again.pictures == trainer.pictures
