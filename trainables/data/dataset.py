"""The images of a study: three splits of uint8 levels, found by name, resized, a part of them."""

import difflib
import gzip
import hashlib
import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from trainables.config import KNOWN_FORMATS, DataConfig, ImageFormat
from trainables.data.prepared_file import (
    SPLITS,
    PreparedDataset,
    Splits,
    find_prepared,
    prepared_names,
    read_splits,
)
from trainables.data.resized_set import prepare_resized, resized_fingerprint
from trainables.error import InputError
from trainables.resize import resized_array
from trainables.seed import derive_seed


@dataclass(frozen=True, slots=True)
class ImageDataset:
    """One data set as plain arrays, so that Ray can map it read-only into every worker.

    Attributes:
        name: the data set's.
        format: what every image looks like.
        train: images to train on.
        validation: images that select weights and configs.
        test: images that only the last phase sees.
        train_labels: class of each image; -1 where there is none.
        validation_labels: class of each image; -1 where there is none.
        test_labels: class of each image; -1 where there is none.
        fingerprint: SHA-256 of content and preparation, in hex.
    """

    name: str
    format: ImageFormat
    train: UInt8[np.ndarray, "num_train channels height width"]
    validation: UInt8[np.ndarray, "num_validation channels height width"]
    test: UInt8[np.ndarray, "num_test channels height width"]
    train_labels: Int64[np.ndarray, " num_train"]
    validation_labels: Int64[np.ndarray, " num_validation"]
    test_labels: Int64[np.ndarray, " num_test"]
    fingerprint: str

    @property
    def num_levels(self) -> int:
        """L, the number of values that a pixel can take."""
        return self.format.num_levels

    @property
    def splits(self) -> Splits:
        """Images and labels of each split, by its name."""
        return {
            "train": (self.train, self.train_labels),
            "validation": (self.validation, self.validation_labels),
            "test": (self.test, self.test_labels),
        }


def load_dataset(config: DataConfig, folder: Path | None = None) -> ImageDataset:
    """The images that a config names; large sets are mapped, not read.

    Args:
        config: name, size, subset and, if given, the fingerprint that must be found.
        folder: where prepared data sets lie, and resized ones are kept; not needed for digits.

    Raises:
        InputError: the set is not prepared, or is another one than the config promises.
    """
    dataset = _whole(config.dataset, config.split_seed, folder)
    if config.resize is not None:
        dataset = _resized(dataset, config.resize, folder)
    if config.num_images is not None:
        dataset = _subset(dataset, config)
    _check_promises(dataset, config)
    return dataset


def found_format(name: str, folder: Path | None) -> ImageFormat:
    """What the images of this name look like as they were prepared.

    Raises:
        InputError: they are not prepared.
    """
    return KNOWN_FORMATS[name] if name == "digits" else _found(name, folder).format


def as_tensor(array: np.ndarray) -> Tensor:
    """The array as a tensor that shares its memory, which nobody may write to."""
    with warnings.catch_warnings():
        # torch: it warns that writing to a mapped, read-only array is undefined; we only read.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _whole(name: str, split_seed: int, folder: Path | None) -> ImageDataset:
    return _digits(split_seed) if name == "digits" else _mapped(_found(name, folder))


def _digits(split_seed: int) -> ImageDataset:
    """scikit-learn's handwritten digits: 1,797 images of 8 × 8 with levels 0 … 16."""
    table = _digits_table()
    images = np.ascontiguousarray(table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8))
    labels = table[:, 64].astype(np.int64)
    order = np.random.default_rng(derive_seed("digits", split_seed)).permutation(len(images))
    num_held_out = len(images) // 5
    ends = (len(images) - 2 * num_held_out, len(images) - num_held_out)
    parts = np.split(order, ends)
    splits = {name: (images[part], labels[part]) for name, part in zip(SPLITS, parts, strict=True)}
    digest = hashlib.sha256(
        images[order].tobytes() + labels[order].tobytes() + repr(ends).encode()
    )
    return _dataset("digits", KNOWN_FORMATS["digits"], splits, digest.hexdigest())


def _digits_table() -> np.ndarray:
    # The file inside the package, without the package: importing that takes seconds every time.
    package = importlib.util.find_spec("sklearn")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    with gzip.open(path, "rt") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.int64)


def _found(name: str, folder: Path | None) -> PreparedDataset:
    prepared = find_prepared(name, folder) if folder else None
    if prepared is None:
        raise _not_prepared(name, folder)
    return prepared


def _mapped(prepared: PreparedDataset) -> ImageDataset:
    splits = read_splits(prepared)
    return _dataset(prepared.name, prepared.format, splits, prepared.fingerprint)


def _not_prepared(name: str, folder: Path | None) -> InputError:
    at_hand = prepared_names(folder) if folder else []
    known = sorted({*KNOWN_FORMATS, *at_hand})
    near = difflib.get_close_matches(name, known, 1) if name not in known else []
    hint = f" (did you mean {near[0]}?)" if near else ""
    return InputError(
        f"the images of {name!r} are not prepared{hint}; known are {', '.join(known)}, prepared in"
        f" {folder or 'no folder'} are {', '.join(at_hand) or 'none'}; digits needs no"
        f" preparation; prepare with `study data prepare {name}`, or with"
        f" --source '{name}=PATH/*.parquet', or a folder or zip of images"
    )


def _resized(dataset: ImageDataset, size: int, folder: Path | None) -> ImageDataset:
    """The images at another size: from a file, or in memory where there is no folder for one."""
    image, fingerprint = dataset.format, dataset.fingerprint
    if image.size == size:
        return dataset
    if folder is not None:
        splits = dataset.splits
        return _mapped(prepare_resized(dataset.name, splits, image, fingerprint, size, folder))
    splits = {
        name: (resized_array(images, size), labels)
        for name, (images, labels) in dataset.splits.items()
    }
    wanted = image.model_copy(update={"size": size})
    return _dataset(dataset.name, wanted, splits, resized_fingerprint(fingerprint, size))


def _subset(dataset: ImageDataset, config: DataConfig) -> ImageDataset:
    """The same share of every split, in the order of a seeded draw."""
    assert config.num_images is not None
    total = sum(len(images) for images, _ in dataset.splits.values())
    if config.num_images > total:
        raise InputError(
            f"data.num_images is {config.num_images}, but {config.dataset} has {total} images"
        )
    chosen: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, (images, labels) in dataset.splits.items():
        num = max(2, round(len(images) * config.num_images / total))
        draw = np.random.default_rng(derive_seed("subset", name, config.split_seed))
        kept = np.sort(draw.permutation(len(images))[:num])
        chosen[name] = (images[kept], labels[kept])
    fingerprint = _subset_fingerprint(dataset.fingerprint, config)
    return _dataset(dataset.name, dataset.format, chosen, fingerprint)


def _subset_fingerprint(fingerprint: str, config: DataConfig) -> str:
    text = f"{fingerprint} subset {config.num_images} seed {config.split_seed}"
    return hashlib.sha256(text.encode()).hexdigest()


def _check_promises(dataset: ImageDataset, config: DataConfig) -> None:
    if config.fingerprint not in (None, dataset.fingerprint):
        raise InputError(
            f"the images of {config.dataset} have fingerprint {dataset.fingerprint[:12]}, but"
            f" {str(config.fingerprint)[:12]} was promised: they are not the same images"
        )
    if dataset.format != config.format:
        raise InputError(
            f"the images of {config.dataset} are {dataset.format!r}, but the config says"
            f" {config.format!r}"
        )


def _dataset(
    name: str, image_format: ImageFormat, splits: Splits, fingerprint: str
) -> ImageDataset:
    arrays: dict[str, Any] = {split: images for split, (images, _) in splits.items()}
    arrays |= {f"{split}_labels": labels for split, (_, labels) in splits.items()}
    return ImageDataset(name=name, format=image_format, fingerprint=fingerprint, **arrays)
