"""How near samples are to one data set under one protocol; references are cached by its hash."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.random import default_rng
from torch import Tensor

from trainables.config import FIDConfig, ImageFormat, check_num_images
from trainables.error import InputError
from trainables.fid.cache import ReferenceCache
from trainables.fid.coverage import NEIGHBOURHOOD, coverage
from trainables.fid.distance import FeatureStatistics, feature_statistics, frechet_distance
from trainables.fid.extractor import (
    ClassifierFeatures,
    Extractor,
    Images,
    LabelledImages,
    PixelFeatures,
)
from trainables.fid.inception import InceptionFeatures
from trainables.fid.kernel import NUM_SUBSETS, kernel_distance, subset_size
from trainables.protocol import FIDProtocol

ROWS_AT_A_TIME = 5000
QUANTISATION = "nearest level, uint8"
TRAIN = "train"
Array = UInt8[np.ndarray, "_ channels height width"]
Features = Float[Tensor, "_ features"]


@dataclass(frozen=True, slots=True)
class SampleScores:
    """How near samples are to a reference.

    Attributes:
        fid: Fréchet distance; lower is better.
        kid: kernel distance, unbiased; lower is better, and may fall a little below 0.
        precision: share of the samples that look like the reference; higher is better.
        recall: share of the reference that looks like samples; higher is better.
    """

    fid: float
    kid: float
    precision: float
    recall: float


class FIDEvaluator:
    """Distances to the splits of one data set under one config."""

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
        self._fingerprint, self._cache = fingerprint, ReferenceCache(cache)
        self._known: dict[str, FeatureStatistics] = {}

    def distance(self, samples: Images, reference: str) -> float:
        """Fréchet distance between samples and a reference split; lower is better.

        Raises:
            InputError: the number of samples is not the protocol's, or no split has this name.
        """
        return self.distance_of_features(self.features(samples), reference)

    def features(self, samples: Images) -> Float[Tensor, "num features"]:
        """Features of a model's samples, on the CPU.

        Raises:
            InputError: the number of samples is not the protocol's.
        """
        self._check_count(len(samples), self._num_samples)
        return self._extractor.features(samples)

    def distance_of_features(self, features: Features, reference: str) -> float:
        """Fréchet distance between samples, by their features, and a split; lower is better."""
        return frechet_distance(feature_statistics(features), self.reference_statistics(reference))

    def distance_between(self, features: Features, others: Features) -> float:
        """Fréchet distance between two sets of samples, by their features; lower is better."""
        return frechet_distance(feature_statistics(features), feature_statistics(others))

    def distance_of_real(self, images: Array, reference: str) -> float:
        """Fréchet distance between real images and a split: what a perfect model would have.

        Args:
            images: of the train part; as many are drawn, the same ones whenever it is asked for,
                as the protocol has samples, or all where they are fewer.
            reference: the split.

        Raises:
            InputError: no split has this name.
        """
        count = min(self._num_samples, len(images))
        protocol = replace(self.protocol(reference), reference=TRAIN, num_reference_images=count)
        statistics = self._cache.statistics(protocol)
        if statistics is None:
            drawn = np.sort(default_rng(0).permutation(len(images))[:count])
            statistics = feature_statistics(self._features_of(images[drawn]))
            self._cache.keep_statistics(statistics, protocol)
        return frechet_distance(statistics, self.reference_statistics(reference))

    def distance_of_reconstructions(self, images: Images, reference: str) -> float:
        """The distance of one image for each of a split's: their number is that of the split.

        Raises:
            InputError: their number is another, or no split has this name.
        """
        self._check_count(len(images), self.protocol(reference).num_reference_images)
        return self.distance_of_features(self._extractor.features(images), reference)

    def scores(self, samples: Images, reference: str) -> SampleScores:
        """Every distance between samples and a reference split.

        Raises:
            InputError: the number of samples is not the protocol's, or no split has this name.
        """
        return self.scores_of_features(self.features(samples), reference)

    def scores_of_features(self, features: Features, reference: str) -> SampleScores:
        """Every distance between samples, by their features, and a reference split.

        Raises:
            InputError: no split has this name.
        """
        target = self.reference_features(reference)
        covered = coverage(features, target)
        return SampleScores(
            fid=self.distance_of_features(features, reference),
            kid=kernel_distance(features, target),
            precision=covered.precision,
            recall=covered.recall,
        )

    def reference_statistics(self, reference: str) -> FeatureStatistics:
        """Statistics of a reference split, from the cache where they are."""
        if reference not in self._known:
            protocol = self.protocol(reference)
            statistics = self._cache.statistics(protocol)
            if statistics is None:
                features = self._cache.features(protocol)
                if features is None:
                    features = self._features_of(self._references[reference])
                statistics = feature_statistics(features)
                self._cache.keep_statistics(statistics, protocol)
            self._known[reference] = statistics
        return self._known[reference]

    def reference_features(self, reference: str) -> Float[Tensor, "num features"]:
        """Features of a reference split, from the cache where they are."""
        protocol = self.protocol(reference)
        features = self._cache.features(protocol)
        if features is None:
            features = self._features_of(self._references[reference])
            self._cache.keep_features(features, protocol)
        return features

    def protocol(self, reference: str) -> FIDProtocol:
        """What this evaluator's values against a split depend on.

        Raises:
            InputError: no split has this name.
        """
        if reference not in self._references:
            known = ", ".join(self._references)
            raise InputError(f"there is no reference split {reference!r}; there are {known}")
        num_reference_images = len(self._references[reference])
        return FIDProtocol(
            features=self._extractor.name,
            weights_sha256=self._extractor.weights_sha256,
            image_size=self._image.size,
            resize=self._extractor.resize,
            num_levels=self._image.num_levels,
            quantisation=QUANTISATION,
            num_samples=self._num_samples,
            reference=reference,
            num_reference_images=num_reference_images,
            reference_fingerprint=self._fingerprint,
            kid_subset_size=subset_size(self._num_samples, num_reference_images),
            kid_num_subsets=NUM_SUBSETS,
            neighbourhood=NEIGHBOURHOOD,
        )

    def _check_count(self, count: int, needed: int) -> None:
        if count != needed:
            raise InputError(
                f"the protocol needs {needed} samples, got {count}; see fid.num_samples"
            )

    def _features_of(self, images: Array) -> Float[Tensor, "num features"]:
        """Features of mapped images, of which only a part is copied at a time."""
        starts = range(0, len(images), ROWS_AT_A_TIME)
        parts = (torch.from_numpy(np.array(images[at : at + ROWS_AT_A_TIME])) for at in starts)
        return torch.cat([self._extractor.features(part) for part in parts])


def build_fid_evaluator(
    config: FIDConfig,
    *,
    labelled: LabelledImages | None,
    references: Mapping[str, UInt8[np.ndarray, "_ channels height width"]],
    format: ImageFormat,
    fingerprint: str,
    cache: Path | None = None,
    classifier_seed: int = 0,
) -> FIDEvaluator:
    """The FID that a config asks for, on one data set.

    Args:
        config: extractor and number of samples.
        labelled: what a classifier is trained on, if that is the extractor.
        references: reference splits by name.
        format: what the images look like.
        fingerprint: of the data set.
        cache: folder for classifiers and statistics; computed anew without it.
        classifier_seed: that a classifier is trained from, if that is the extractor; 0 is that of
            the protocol.

    Raises:
        InputError: the extractor's weights are missing, or do not fit the images.
    """
    counts = {f"the {name} split": len(images) for name, images in references.items()}
    for what, count in {"fid.num_samples": config.num_samples, **counts}.items():
        check_num_images(config, format, what, count)
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    extractor = _build_extractor(config, labelled, format, cache, classifier_seed)
    return FIDEvaluator(extractor, config.num_samples, references, format, fingerprint, cache)


def _build_extractor(
    config: FIDConfig,
    labelled: LabelledImages | None,
    image: ImageFormat,
    cache: Path | None,
    classifier_seed: int,
) -> Extractor:
    match config.features:
        case "inception":
            return InceptionFeatures(config, image)
        case "pixels":
            return PixelFeatures(image)
        case "classifier":
            assert labelled is not None
            return ClassifierFeatures(config, labelled, image, cache, classifier_seed)
