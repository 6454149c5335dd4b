"""`study fid`: how far two sets of images are apart, for people who only want that."""

from pathlib import Path

import torch
from rich.console import Console

from study.distance.image_set import ImageSet, labelled_train_part, load_image_set
from study.storage.layout import open_layout
from trainables.config import FIDConfig, PreparationConfig, check_num_images
from trainables.count import plural
from trainables.data.dataset import as_tensor
from trainables.error import InputError
from trainables.fid import FIDProtocol, LabelledImages, SampleScores, build_fid_evaluator


def image_distance(
    a: ImageSet, b: ImageSet, config: FIDConfig, folder: Path
) -> tuple[SampleScores, FIDProtocol]:
    """Every distance of images from a reference, and the protocol of these numbers.

    Args:
        a: the images, in the place of samples.
        b: the reference.
        config: the feature space.
        folder: prepared data sets, classifiers and statistics.

    Raises:
        InputError: the two look different, are too few, or the features are not to be had.
    """
    if a.format != b.format:
        raise InputError(
            f"the images of {a.name} are {_shape(a)}, and those of {b.name} {_shape(b)}: both need"
            " the same size, channels and levels"
        )
    config = config.model_copy(update={"num_samples": len(a.images)})
    for side in (a, b):
        check_num_images(config, side.format, side.name, len(side.images))
    evaluator = build_fid_evaluator(
        config,
        labelled=_labelled(a, b, config, folder) if config.features == "classifier" else None,
        references={b.name: b.images},
        format=b.format,
        fingerprint=b.fingerprint,
        cache=folder,
    )
    scores = evaluator.scores(as_tensor(a.images), b.name)
    return scores, evaluator.protocol(b.name)


def tell_image_distance(
    a: str,
    b: str,
    config: FIDConfig,
    num_images: int | None,
    storage: Path,
    console: Console,
    preparation: PreparationConfig | None = None,
) -> None:
    """Loads both sets, prints their distances, and the protocol of these.

    Raises:
        InputError: see `load_image_set` and `image_distance`.
    """
    folder = open_layout(storage, "any").data
    torch.set_num_threads(1)  # as trials have, so that sums come out the same
    first, second = (load_image_set(text, folder, num_images, preparation) for text in (a, b))
    scores, protocol = image_distance(first, second, config, folder)
    for one in (first, second):
        line = f"{one.name}: {plural(len(one.images), 'image')} of {_shape(one)}"
        console.print(line, soft_wrap=True, markup=False, emoji=False)
        for text in one.told:
            console.print(f"  {text}", soft_wrap=True, markup=False, emoji=False)
    console.print(f"FID        {scores.fid:.6g}  lower is better")
    console.print(f"KID        {scores.kid:.6g}  lower is better; unbiased, so it may be below 0")
    console.print(f"precision  {scores.precision:.4f}  of {first.name}", markup=False, emoji=False)
    console.print(f"recall     {scores.recall:.4f}  of {second.name}", markup=False, emoji=False)
    console.print(f"protocol   {protocol.hash}", soft_wrap=True)
    for name, value in protocol.as_dict().items():
        console.print(f"  {name}: {value}", soft_wrap=True, markup=False, emoji=False)


def _labelled(a: ImageSet, b: ImageSet, config: FIDConfig, folder: Path) -> LabelledImages:
    if config.classifier_dataset is not None:
        return labelled_train_part(config.classifier_dataset, folder)
    labelled = b.labelled or a.labelled
    if labelled is None:
        raise InputError(
            f"neither {a.name} nor {b.name} has labels to train a classifier on; name a prepared"
            " set that has, with --classifier-dataset, or take --features inception or pixels"
        )
    return labelled


def _shape(side: ImageSet) -> str:
    image = side.format
    return f"{image.channels}×{image.size}×{image.size}, {image.num_levels} levels"
