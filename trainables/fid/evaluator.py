"""The FID of one data set under one protocol; statistics are cached by the protocol's hash."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainables.config import FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid.distance import FeatureStatistics, feature_statistics, frechet_distance
from trainables.fid.extractor import ClassifierFeatures, Extractor, Images
from trainables.fid.inception import InceptionFeatures
from trainables.fid.protocol import FIDProtocol


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
        """Takes the reference splits by name; their statistics are computed when first needed.

        Raises:
            InputError: there are not more images than features, on either side.
        """
        self._extractor, self._num_samples = extractor, num_samples
        self._references, self._image = references, image
        self._fingerprint, self._cache = fingerprint, cache
        self._known: dict[str, FeatureStatistics] = {}
        self._check_sizes()

    def distance(self, samples: Images, reference: str) -> float:
        """Fréchet distance between samples and a reference split; lower is better.

        Raises:
            ValueError: the number of samples is not the protocol's.
        """
        if len(samples) != self._num_samples:
            raise ValueError(f"the protocol needs {self._num_samples} samples, got {len(samples)}")
        statistics = feature_statistics(self._extractor.features(samples))
        return frechet_distance(statistics, self.reference_statistics(reference))

    def reference_statistics(self, reference: str) -> FeatureStatistics:
        """Statistics of a reference split, from the cache where they are."""
        if reference not in self._known:
            self._known[reference] = self._cached(reference)
        return self._known[reference]

    def protocol(self, reference: str) -> FIDProtocol:
        """What this evaluator's values depend on."""
        return FIDProtocol(
            features=self._extractor.name,
            weights_sha256=self._extractor.weights_sha256,
            image_size=self._image.size,
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
            values = load_file(path)
            count = int(values["num_samples"].item())
            return FeatureStatistics(values["mean"], values["covariance"], count)
        images = torch.from_numpy(np.array(self._references[reference]))
        statistics = feature_statistics(self._extractor.features(images))
        if path:
            _save(
                path,
                mean=statistics.mean,
                covariance=statistics.covariance.contiguous(),
                num_samples=torch.tensor(statistics.num_samples),
            )
        return statistics

    def _check_sizes(self) -> None:
        size = self._extractor.size
        counts = {name: len(images) for name, images in self._references.items()}
        for name, count in {**counts, "fid.num_samples": self._num_samples}.items():
            if count <= size:
                remedy = "use more images, or fid.features=classifier (32 features)"
                raise InputError(
                    f"a Fréchet distance needs more images than its {size} features, but {name}"
                    f" has {count}: {remedy}"
                )


def build_fid_evaluator(
    config: FIDConfig,
    *,
    train: UInt8[np.ndarray, "_ channels height width"],
    train_labels: np.ndarray,
    references: Mapping[str, UInt8[np.ndarray, "_ channels height width"]],
    format: ImageFormat,
    fingerprint: str,
    cache: Path | None = None,
) -> FIDEvaluator:
    """The FID that a config asks for, on one data set.

    Args:
        config: extractor and number of samples.
        train: images that a classifier is trained on, if that is the extractor.
        train_labels: their classes.
        references: reference splits by name.
        format: what the images look like.
        fingerprint: of the data set.
        cache: folder for classifiers and statistics; computed anew without it.

    Raises:
        InputError: the extractor's weights are missing, or do not fit the images.
    """
    if config.features == "inception":
        extractor: Extractor = InceptionFeatures(config, format)
    else:
        extractor = ClassifierFeatures(config, train, train_labels, format, fingerprint, cache)
    return FIDEvaluator(extractor, config.num_samples, references, format, fingerprint, cache)


def _save(path: Path, **values: Tensor) -> None:
    aside = path.with_suffix(f".{os.getpid()}")
    save_file(values, aside)
    aside.replace(path)
