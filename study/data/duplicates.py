"""What the splits of a study's data sets have in common, for its report."""

from pathlib import Path

from search_spaces import StudySpec
from study.data.dataset import load_datasets
from trainables.data.dataset import ImageDataset
from trainables.data.overlap import overlap_of_splits, overlap_text
from trainables.data.prepared_file import find_prepared
from trainables.error import InputError


def overlap_texts(spec: StudySpec, folder: Path) -> dict[str, str]:
    """A sentence about each data set that is still what the study began with.

    Nothing is said of a set that is gone or another one, or was prepared before images were
    compared.

    Args:
        spec: the study, with what its data sets were found to be.
        folder: where prepared data lie.
    """
    texts = {}
    for name in spec.datasets:
        alone = spec.model_copy(
            update={"strata": spec.strata.model_copy(update={"dataset": (name,)})}
        )
        try:
            found = load_datasets(alone, folder)[name]
        except InputError:
            continue
        if text := _text(name, found, folder):
            texts[name] = text
    return texts


def _text(name: str, found: ImageDataset, folder: Path) -> str:
    if name == "digits":
        images = {split: part[0] for split, part in found.splits.items()}
        return overlap_text(overlap_of_splits(images))
    prepared = find_prepared(name, folder)
    overlap = prepared.overlap if prepared else None
    return overlap_text(overlap) if overlap else ""
