"""Evaluators of the FID: on the digits, and on images without content."""

from pathlib import Path

import numpy as np

from trainables.config import FIDConfig, ImageFormat
from trainables.data.dataset import ImageDataset
from trainables.fid import FIDEvaluator, LabelledImages, build_fid_evaluator

CONFIG = FIDConfig(num_samples=359, classifier_epochs=2)
RGB32 = ImageFormat(channels=3, size=32)


def build(
    data: ImageDataset, cache: Path | None = None, *, classifier_seed: int = 0, **options: int
) -> FIDEvaluator:
    return build_fid_evaluator(
        CONFIG.model_copy(update=options),
        labelled=LabelledImages(
            data.train,
            data.train_labels,
            data.format,
            data.fingerprint,
            None,
            (data.validation, data.validation_labels),
        ),
        references={"validation": data.validation, "test": data.test},
        format=data.format,
        fingerprint=data.fingerprint,
        cache=cache,
        classifier_seed=classifier_seed,
    )


def build_blank(config: FIDConfig, num: int = 2100, format: ImageFormat = RGB32) -> FIDEvaluator:
    images = np.zeros((num, format.channels, format.size, format.size), np.uint8)
    return build_fid_evaluator(
        config,
        labelled=LabelledImages(images, np.full(num, -1, np.int64), format, "0" * 64),
        references={"test": images},
        format=format,
        fingerprint="0" * 64,
    )
