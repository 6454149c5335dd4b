"""Inception V3 as torch-fidelity has it, with weights from a file, or fetched where asked for."""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from trainables.config import INCEPTION_FEATURES, FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid.extractor import Extractor, Images
from trainables.file import file_hash

INCEPTION_VARIABLE = "STUDY_INCEPTION_WEIGHTS"
INCEPTION_FILE: str = URL_INCEPTION_V3.rpartition("/")[2]
INCEPTION_BATCH = 50
DOWNLOAD = "download"


class InceptionFeatures(Extractor):
    """The last pooling layer, 2,048 features of RGB images."""

    name = "inception-v3"
    resize = "299, bilinear as in TensorFlow 1"
    size = INCEPTION_FEATURES

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
            raise _no_weights(str(_hub_file()))
        self.weights_sha256 = file_hash(path)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network = _load_inception(path).to(self._device)

    @torch.no_grad()
    def features(self, images: Images) -> Float[Tensor, "num features"]:
        """Features of each image, on the CPU."""
        batches = images.split(INCEPTION_BATCH)
        with _full_precision():
            return torch.cat([self._network(batch.to(self._device))[0].cpu() for batch in batches])


def inception_weights(option: str | None) -> Path | None:
    """Where Inception's weights are: the option, the environment, or torch's own cache.

    The option `download` fetches them into that cache, unless they are there.

    Raises:
        InputError: the option or the variable names a file that does not exist, or the download
            breaks off or is another file.
    """
    if option == DOWNLOAD:
        return _hub_file() if _hub_file().is_file() else _downloaded(_hub_file())
    named = option or os.environ.get(INCEPTION_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise _no_weights(str(path))
        return path
    return _hub_file() if _hub_file().is_file() else None


def _downloaded(path: Path) -> Path:
    # The file's name ends with the beginning of its SHA-256, which is checked before it is kept.
    digest = path.stem.rpartition("-")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=digest)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the Inception weights could not be fetched from {URL_INCEPTION_V3} ({error}); fetch"
            " them by hand and point to them with fid.weights=PATH"
        ) from error
    return path


def _hub_file() -> Path:
    folder: str = torch.hub.get_dir()
    return Path(folder) / "checkpoints" / INCEPTION_FILE


def _no_weights(looked_for: str) -> InputError:
    return InputError(
        f"there are no Inception weights at {looked_for}; point to {INCEPTION_FILE} with"
        f" fid.weights=PATH or the variable {INCEPTION_VARIABLE}, fetch it with"
        " fid.weights=download, or use fid.features=classifier"
    )


def _load_inception(path: Path) -> FeatureExtractorInceptionV3:
    """The network; its own loader unpickles, so only a file of nothing but tensors gets there.

    Raises:
        InputError: the file is something else.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True)
        with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced
            return FeatureExtractorInceptionV3(
                "inception-v3", [str(INCEPTION_FEATURES)], feature_extractor_weights_path=str(path)
            )
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a file of Inception weights; fetch {INCEPTION_FILE}, a release file of"
            " torch-fidelity, or use fid.features=classifier"
        ) from error


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TF32 inside: the protocol says float32, and cuDNN would cut its mantissa to 10 bits."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
