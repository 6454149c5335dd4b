"""Any set of images that a person can name: prepared, in a folder, in Parquet, or of a model."""

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from study.data.plan_text import left_out_text
from study.export.sample import exported_samples
from trainables.config import DataConfig, ImageFormat, PreparationConfig
from trainables.count import plural
from trainables.data.dataset import found_format, load_dataset
from trainables.data.plan import losses_of
from trainables.data.prepared_file import SPLITS
from trainables.data.prepared_format import choose_format
from trainables.data.survey import survey_images
from trainables.data.workers import Workers
from trainables.error import InputError
from trainables.fid import LabelledImages
from trainables.picture import decode, pixels_of, without_alpha
from trainables.seed import derive_seed
from trainables.sources import open_loose


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images that are to be compared with others.

    Attributes:
        name: as the person wrote it.
        images: their levels.
        format: what they look like.
        fingerprint: of the data set that they are from, else of their content.
        labelled: what a classifier of their own data set is trained on, if that has labels.
        told: what was left out or converted on the way, a sentence each.
    """

    name: str
    images: UInt8[np.ndarray, "_ channels height width"]
    format: ImageFormat
    fingerprint: str
    labelled: LabelledImages | None = None
    told: tuple[str, ...] = ()


def load_image_set(
    text: str, folder: Path, num_images: int | None, config: PreparationConfig | None = None
) -> ImageSet:
    """The images that a text names.

    Args:
        text: `NAME` or `NAME:train`, `:validation`, `:test` of a prepared set; a folder of images
            or of Parquet files, a zip of images, or a glob of Parquet files; or an exported YAML
            file, whose model is sampled.
        folder: where prepared data sets lie.
        num_images: a fixed, seeded draw of so many; all of them without it, and of a model as
            many as its own test FID took.
        config: what images in files are brought to; by default they are taken as they are.

    Raises:
        InputError: the text names no images, or too few.
    """
    path = Path(text).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return _sampled(text, path, num_images)
    is_pattern = any(sign in text for sign in "*?[")
    if path.is_dir() or is_pattern or path.suffix.lower() in (".parquet", ".zip"):
        found = _read(text, config or PreparationConfig())
    else:
        found = _prepared(text, folder)
    return found if num_images is None else _drawn(found, num_images)


def labelled_train_part(name: str, folder: Path) -> LabelledImages:
    """What a classifier of a prepared data set is trained on.

    Raises:
        InputError: it is not prepared.
    """
    dataset = load_dataset(DataConfig(dataset=name, format=found_format(name, folder)), folder)
    return LabelledImages(
        dataset.train, dataset.train_labels, dataset.format, dataset.fingerprint, name,
        (dataset.validation, dataset.validation_labels),
    )  # fmt: skip


def _prepared(text: str, folder: Path) -> ImageSet:
    name, colon, split = text.partition(":")
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(
            f"{text} is not a folder, Parquet file or exported YAML that exists, nor the name of a"
            " prepared data set"
        )
    if colon and split not in SPLITS:
        raise InputError(f"{text}: a split is {', '.join(SPLITS)}, got {split!r}")
    dataset = load_dataset(DataConfig(dataset=name, format=found_format(name, folder)), folder)
    wanted = [split] if colon else list(SPLITS)
    parts = [dataset.splits[part][0] for part in wanted]
    images = parts[0] if colon else np.concatenate(parts)
    has_labels = bool((dataset.train_labels >= 0).all())
    labelled = labelled_train_part(name, folder) if has_labels else None
    return ImageSet(text, images, dataset.format, dataset.fingerprint, labelled)


def _sampled(text: str, path: Path, num_images: int | None) -> ImageSet:
    images, image = exported_samples(path, num_images)
    return ImageSet(text, images.numpy(), image, _content(images.numpy()))


def _read(text: str, config: PreparationConfig) -> ImageSet:
    """All images at a path, read as `study data prepare` reads them."""
    with contextlib.closing(open_loose(text)) as source, Workers() as workers:
        reading = source.reading()
        survey = survey_images(source, len(reading.splits), config.background, workers=workers)
        if survey.broken:
            raise InputError("; ".join(survey.broken.values()))
        image, crop = choose_format(text, survey, None, "reference", config)
        images = np.empty((survey.num, image.channels, image.size, image.size), np.uint8)
        num_transparent = 0
        for at, one in enumerate(source.images()):
            picture, is_transparent = without_alpha(decode(one.data, one.place), config.background)
            images[at] = pixels_of(picture, image, crop, one.place)
            num_transparent += is_transparent
    told = [left_out_text(left) for left in reading.left_out if not left.is_system]
    told += losses_of(survey, image, crop)
    if num_transparent:
        told.append(f"{plural(num_transparent, 'image')} laid over {config.background}")
    return ImageSet(text, images, image, _content(images), told=tuple(told))


def _drawn(found: ImageSet, num_images: int) -> ImageSet:
    total = len(found.images)
    if num_images > total:
        raise InputError(f"{found.name} has {total} images, but {num_images} were asked for")
    draw = np.random.default_rng(derive_seed("images to compare", num_images)).permutation(total)
    images = np.asarray(found.images[np.sort(draw[:num_images])])
    return replace(found, images=images, fingerprint=_content(images))


def _content(images: UInt8[np.ndarray, "_ channels height width"]) -> str:
    return hashlib.sha256(repr(images.shape).encode() + images.tobytes()).hexdigest()
