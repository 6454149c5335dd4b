"""From a trial's config to the FID that it is judged by."""

from collections.abc import Callable
from pathlib import Path

from trainables.config import DataConfig, FIDConfig, TrialConfig
from trainables.data.dataset import ImageDataset, found_format, load_dataset
from trainables.fid import FIDEvaluator, LabelledImages, build_fid_evaluator


def evaluator_for(
    config: TrialConfig, dataset: ImageDataset, folder: Path | None, classifier_seed: int = 0
) -> FIDEvaluator:
    """The FID of a config's protocol on its data; trains the classifier if nobody has yet.

    Args:
        config: of the trial.
        dataset: its images.
        folder: prepared data sets, classifiers and statistics, if they are kept anywhere.
        classifier_seed: that the classifier is trained from; 0 is that of the protocol.

    Raises:
        InputError: the classifier's data set is not in the folder, or sees other colours.
    """
    return build_fid_evaluator(
        config.fid,
        labelled=_labelled(config.fid, dataset, folder),
        references={"validation": dataset.validation, "test": dataset.test},
        format=dataset.format,
        fingerprint=dataset.fingerprint,
        cache=folder,
        classifier_seed=classifier_seed,
    )


def ready_evaluator(
    config: TrialConfig,
    dataset: ImageDataset,
    folder: Path | None,
    tell: Callable[[str], None] = lambda line: None,
) -> FIDEvaluator:
    """The FID of a config's protocol, with all in the folder that trials will ask of it.

    Args:
        config: of a trial.
        dataset: its images.
        folder: as in `evaluator_for`.
        tell: takes a line before each further classifier.

    Raises:
        InputError: as in `evaluator_for`.
    """
    evaluator = evaluator_for(config, dataset, folder)
    evaluator.reference_features("test")
    for reference in ("validation", "test"):
        evaluator.reference_statistics(reference)
    if config.revision > 1:
        evaluator.distance_of_real(dataset.train, "test")
    for seed in range(1, config.fid.num_classifiers):
        tell(f"preparing the FID: classifier {seed + 1} of {config.fid.num_classifiers}")
        evaluator_for(config, dataset, folder, seed).reference_statistics("test")
    return evaluator


def _labelled(config: FIDConfig, dataset: ImageDataset, folder: Path | None) -> LabelledImages:
    """What the classifier is trained on: the images' own train part, or another set's, whole."""
    other = config.classifier_dataset if config.features == "classifier" else None
    if other is not None:
        image = found_format(other, folder)
        dataset = load_dataset(DataConfig(dataset=other, format=image), folder)
    return LabelledImages(
        dataset.train, dataset.train_labels, dataset.format, dataset.fingerprint, other,
        (dataset.validation, dataset.validation_labels),
    )  # fmt: skip
