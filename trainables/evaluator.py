"""From a trial's config to the FID that it is judged by."""

from pathlib import Path

from trainables.config import DataConfig, FIDConfig, TrialConfig
from trainables.data import ImageDataset, found_format, load_dataset
from trainables.fid import FIDEvaluator, LabelledImages, build_fid_evaluator


def evaluator_for(config: TrialConfig, dataset: ImageDataset, folder: Path | None) -> FIDEvaluator:
    """The FID of a config's protocol on its data; trains the classifier if nobody has yet.

    Args:
        config: of the trial.
        dataset: its images.
        folder: prepared data sets, classifiers and statistics, if they are kept anywhere.

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
    )


def _labelled(config: FIDConfig, dataset: ImageDataset, folder: Path | None) -> LabelledImages:
    """What the classifier is trained on: the images' own train part, or another set's, whole."""
    other = config.classifier_dataset if config.features == "classifier" else None
    if other is not None:
        image = found_format(other, folder)
        dataset = load_dataset(DataConfig(dataset=other, format=image), folder)
    return LabelledImages(
        dataset.train, dataset.train_labels, dataset.format, dataset.fingerprint, other
    )
