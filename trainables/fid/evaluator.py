"""The FID of one data set under one protocol; statistics are cached by the protocol's hash."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from trainables.checkpoint import write_atomically
from trainables.classifier import FEATURE_SIZE
from trainables.config import FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid.distance import FeatureStatistics, feature_statistics, frechet_distance
from trainables.fid.extractor import ClassifierFeatures, Extractor, Images, LabelledImages
from trainables.fid.inception import INCEPTION_SIZE, InceptionFeatures
from trainables.fid.protocol import FIDProtocol

ROWS_AT_A_TIME = 5000
Array = UInt8[np.ndarray, "_ channels height width"]


class FIDEvaluator:
    """The FID of one data set under one config."""

    def __init__(
        self,
        extractor: Extractor,
        num_samples: int,
        references: Mapping[str, UInt8[np.ndarray, "_ channels height width"]],
        image: ImageFormat,
        fingerprint: str,
        cache: Path | None,
    ) -> None:
        """Takes the reference splits by name; their statistics are computed when first needed."""
        self._extractor, self._num_samples = extractor, num_samples
        self._references, self._image = references, image
        self._fingerprint, self._cache = fingerprint, cache
        self._known: dict[str, FeatureStatistics] = {}

    def distance(self, samples: Images, reference: str) -> float:
        """Fréchet distance between samples and a reference split; lower is better.

        Raises:
            InputError: the number of samples is not the protocol's, or no split has this name.
        """
        if len(samples) != self._num_samples:
            raise InputError(
                f"the protocol needs {self._num_samples} samples, got {len(samples)}; see"
                " fid.num_samples"
            )
        target = self.reference_statistics(reference)
        return frechet_distance(feature_statistics(self._extractor.features(samples)), target)

    def reference_statistics(self, reference: str) -> FeatureStatistics:
        """Statistics of a reference split, from the cache where they are."""
        if reference not in self._known:
            self._known[reference] = self._cached(reference)
        return self._known[reference]

    def protocol(self, reference: str) -> FIDProtocol:
        """What this evaluator's values against a split depend on.

        Raises:
            InputError: no split has this name.
        """
        if reference not in self._references:
            known = ", ".join(self._references)
            raise InputError(f"there is no reference split {reference!r}; there are {known}")
        return FIDProtocol(
            features=self._extractor.name,
            weights_sha256=self._extractor.weights_sha256,
            image_size=self._image.size,
            resize=self._extractor.resize,
            num_levels=self._image.num_levels,
            num_samples=self._num_samples,
            reference=reference,
            num_reference_images=len(self._references[reference]),
            reference_fingerprint=self._fingerprint,
        )

    def _cached(self, reference: str) -> FeatureStatistics:
        key = self.protocol(reference).hash[:16]
        path = self._cache / f"statistics-{key}.safetensors" if self._cache else None
        if path and path.is_file():
            return _load_statistics(path)
        statistics = feature_statistics(self._features_of(self._references[reference]))
        if path:
            _save_statistics(statistics, path)
        return statistics

    def _features_of(self, images: Array) -> Float[Tensor, "num features"]:
        """Features of mapped images, of which only a part is copied at a time."""
        starts = range(0, len(images), ROWS_AT_A_TIME)
        parts = (torch.from_numpy(np.array(images[at : at + ROWS_AT_A_TIME])) for at in starts)
        return torch.cat([self._extractor.features(part) for part in parts])


def build_fid_evaluator(
    config: FIDConfig,
    *,
    labelled: LabelledImages,
    references: Mapping[str, UInt8[np.ndarray, "_ channels height width"]],
    format: ImageFormat,
    fingerprint: str,
    cache: Path | None = None,
) -> FIDEvaluator:
    """The FID that a config asks for, on one data set.

    Args:
        config: extractor and number of samples.
        labelled: what a classifier is trained on, if that is the extractor.
        references: reference splits by name.
        format: what the images look like.
        fingerprint: of the data set.
        cache: folder for classifiers and statistics; computed anew without it.

    Raises:
        InputError: the extractor's weights are missing, or do not fit the images.
    """
    _refuse_few_images(config, references)
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    if config.features == "inception":
        extractor: Extractor = InceptionFeatures(config, format)
    else:
        extractor = ClassifierFeatures(config, labelled, format, cache)
    return FIDEvaluator(extractor, config.num_samples, references, format, fingerprint, cache)


def _refuse_few_images(config: FIDConfig, references: Mapping[str, Array]) -> None:
    is_inception = config.features == "inception"
    size = INCEPTION_SIZE if is_inception else FEATURE_SIZE
    other = f", or use fid.features=classifier ({FEATURE_SIZE} features)" if is_inception else ""
    counts = {f"the {name} split": len(images) for name, images in references.items()}
    for what, count in {"fid.num_samples": config.num_samples, **counts}.items():
        if count <= size:
            raise InputError(
                f"a Fréchet distance needs more images than its {size} features on both sides, but"
                f" {what} has {count}: take at least {size + 1}{other}"
            )


def _save_statistics(statistics: FeatureStatistics, path: Path) -> None:
    values = {
        "mean": statistics.mean,
        "covariance": statistics.covariance.contiguous(),
        "num_samples": torch.tensor(statistics.num_samples),
    }
    write_atomically(path, save(values))


def _load_statistics(path: Path) -> FeatureStatistics:
    try:
        values = load_file(path)
        num_samples = int(values["num_samples"].item())
        return FeatureStatistics(values["mean"], values["covariance"], num_samples)
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is damaged; remove it and it is computed again") from error
