"""The images of a study: three splits of uint8 levels, and the way between levels and [-1, 1].

    x = 2 (k + u) / L - 1        k in 0 … L-1, u ~ U[0, 1): dequantisation, so that x has a density
    bits per dimension = -ELBO / (D ln 2) + log2(L / 2)
    centre of a level: 2 (k + ½) / L - 1

Uniform dequantisation: Theis et al. 2016, arXiv 1511.01844.
"""

import difflib
import gzip
import hashlib
import importlib.util
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from trainables.config import KNOWN_FORMATS, DataConfig, ImageFormat
from trainables.error import InputError
from trainables.preparation import find_prepared, prepared_names, read_prepared
from trainables.seed import derive_seed

Splits = dict[str, tuple[np.ndarray, np.ndarray]]
SPLITS = ("train", "validation", "test")
# u keeps this distance from 0 and 1: in float32, k + u would otherwise round to the next level
# about once in 100,000 values. It makes the bound better by 2e-4 bits per dimension at most.
NOISE_MARGIN = 2**-14


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
        validation_labels: likewise.
        test_labels: likewise.
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


def load_dataset(config: DataConfig, folder: Path | None = None) -> ImageDataset:
    """The images that a config names; large sets are mapped, not read.

    Args:
        config: name, subset and, if given, the fingerprint that must be found.
        folder: where prepared data sets lie; not needed for digits.

    Raises:
        InputError: the set is not prepared, or is another one than the config promises.
    """
    if config.dataset == "digits":
        found_format, splits, fingerprint = _digits(config.split_seed)
    else:
        found_format, splits, fingerprint = _prepared(config, folder)
    if config.num_images is not None:
        fingerprint = _subset_fingerprint(fingerprint, config)
        splits = _subset(splits, config)
    if config.fingerprint not in (None, fingerprint):
        raise InputError(
            f"the images of {config.dataset} have fingerprint {fingerprint[:12]}, but"
            f" {str(config.fingerprint)[:12]} was promised: they are not the same images"
        )
    if found_format != config.format:
        raise InputError(
            f"the images of {config.dataset} are {found_format!r}, but the config says"
            f" {config.format!r}"
        )
    return _dataset(config.dataset, found_format, splits, fingerprint)


def dequantise(
    images: UInt8[Tensor, "batch channels height width"],
    num_levels: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch channels height width"]:
    """Levels to x in [-1, 1], each with uniform noise over its own width.

    Args:
        images: levels in 0 … num_levels - 1.
        num_levels: L above.
        generator: the source of the noise; torch's global stream unless given.
    """
    noise = torch.rand(images.shape, generator=generator, device=images.device)
    noise.mul_(1 - 2 * NOISE_MARGIN).add_(NOISE_MARGIN)
    return (images + noise) * (2 / num_levels) - 1


def quantise(
    x: Float[Tensor, "batch channels height width"], num_levels: int
) -> UInt8[Tensor, "batch channels height width"]:
    """The level that each value of x in [-1, 1] falls into; values outside go to the ends."""
    levels = ((x + 1) * (num_levels / 2)).floor()
    return levels.clamp(0, num_levels - 1).to(torch.uint8)


def centre(
    images: UInt8[Tensor, "batch channels height width"], num_levels: int
) -> Float[Tensor, "batch channels height width"]:
    """Levels to the middle of their widths in [-1, 1]: `dequantise` without noise."""
    return (images + 0.5) * (2 / num_levels) - 1


def bits_offset(num_levels: int) -> float:
    """log2(L/2), from a density on [-1, 1] to bits per level; 7 for eight bits."""
    return math.log2(num_levels / 2)


def as_tensor(array: np.ndarray) -> Tensor:
    """The array as a tensor that shares its memory, which nobody may write to."""
    with warnings.catch_warnings():
        # torch: it warns that writing to a mapped, read-only array is undefined; we only read.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _digits(split_seed: int) -> tuple[ImageFormat, Splits, str]:
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
    return ImageFormat(channels=1, size=8, num_levels=17), splits, digest.hexdigest()


def _digits_table() -> np.ndarray:
    # The file inside the package, without the package: importing that takes seconds every time.
    package = importlib.util.find_spec("sklearn")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    with gzip.open(path, "rt") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.int64)


def _prepared(config: DataConfig, folder: Path | None) -> tuple[ImageFormat, Splits, str]:
    prepared = find_prepared(config.dataset, folder) if folder else None
    if prepared is None:
        raise _not_prepared(config.dataset, folder)
    images, labels = read_prepared(prepared)
    ends = np.cumsum([prepared.num_train, prepared.num_validation])
    parts = zip(np.split(images, ends), np.split(labels, ends), strict=True)
    return prepared.format, dict(zip(SPLITS, parts, strict=True)), prepared.fingerprint


def _not_prepared(name: str, folder: Path | None) -> InputError:
    at_hand = prepared_names(folder) if folder else []
    known = sorted({*KNOWN_FORMATS, *at_hand})
    near = difflib.get_close_matches(name, known, 1) if name not in known else []
    hint = f" (did you mean {near[0]}?)" if near else ""
    return InputError(
        f"the images of {name!r} are not prepared{hint}; known are {', '.join(known)}, prepared in"
        f" {folder or 'no folder'} are {', '.join(at_hand) or 'none'}; digits needs no"
        f" preparation; prepare with --source '{name}=PATH/*.parquet'"
    )


def _subset(splits: Splits, config: DataConfig) -> Splits:
    """The same share of every split, in the order of a seeded draw."""
    assert config.num_images is not None
    total = sum(len(images) for images, _ in splits.values())
    if config.num_images > total:
        raise InputError(
            f"data.num_images is {config.num_images}, but {config.dataset} has {total} images"
        )
    chosen: Splits = {}
    for name, (images, labels) in splits.items():
        num = max(2, round(len(images) * config.num_images / total))
        draw = np.random.default_rng(derive_seed("subset", name, config.split_seed))
        kept = np.sort(draw.permutation(len(images))[:num])
        chosen[name] = (images[kept], labels[kept])
    return chosen


def _subset_fingerprint(fingerprint: str, config: DataConfig) -> str:
    text = f"{fingerprint} subset {config.num_images} seed {config.split_seed}"
    return hashlib.sha256(text.encode()).hexdigest()


def _dataset(
    name: str, image_format: ImageFormat, splits: Splits, fingerprint: str
) -> ImageDataset:
    arrays: dict[str, Any] = {split: images for split, (images, _) in splits.items()}
    arrays |= {f"{split}_labels": labels for split, (_, labels) in splits.items()}
    return ImageDataset(name=name, format=image_format, fingerprint=fingerprint, **arrays)
