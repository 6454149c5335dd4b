"""Inception V3 as torch-fidelity has it, with weights from a file: nothing is downloaded."""

import os
import pickle
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from trainables.checkpoint import file_hash
from trainables.config import FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid.extractor import Extractor, Images

INCEPTION_VARIABLE = "STUDY_INCEPTION_WEIGHTS"
INCEPTION_FILE = URL_INCEPTION_V3.rpartition("/")[2]
INCEPTION_SIZE = 2048
INCEPTION_BATCH = 50


class InceptionFeatures(Extractor):
    """The last pooling layer, 2,048 features of RGB images."""

    name = "inception-v3"
    size = INCEPTION_SIZE

    def __init__(self, config: FIDConfig, image: ImageFormat) -> None:
        """Loads the weights.

        Raises:
            InputError: there are none, or the images are not RGB of 256 levels.
        """
        if image.channels != 3 or image.num_levels != 256:
            raise InputError(
                "Inception takes RGB images of 256 levels; use fid.features=classifier for"
                f" {image.channels} channel(s) of {image.num_levels} levels"
            )
        path = inception_weights(config.weights)
        if path is None:
            raise InputError(
                f"the Inception weights {INCEPTION_FILE} are not here; point to them with"
                f" fid.weights=PATH or the variable {INCEPTION_VARIABLE}, or use"
                " fid.features=classifier"
            )
        self.weights_sha256 = file_hash(path)
        _refuse_pickle(path)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        network = FeatureExtractorInceptionV3(
            self.name, [str(INCEPTION_SIZE)], feature_extractor_weights_path=str(path)
        )
        self._network = network.to(self._device)

    @torch.no_grad()
    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """Features of each image, on the CPU."""
        batches = images.split(INCEPTION_BATCH)
        return torch.cat([self._network(batch.to(self._device))[0].cpu() for batch in batches])


def inception_weights(option: str | None) -> Path | None:
    """Where Inception's weights are: the option, the environment, or torch's own cache.

    Raises:
        InputError: the option or the variable names a file that does not exist.
    """
    named = option or os.environ.get(INCEPTION_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise InputError(f"there are no Inception weights at {path}")
        return path
    cached = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    return cached if cached.is_file() else None


def _refuse_pickle(path: Path) -> None:
    """Torch-fidelity loads with pickle; only a file that is nothing but tensors gets there."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no file of Inception weights: {error}") from error
