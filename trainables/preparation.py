"""From a source of images to one prepared file, see `trainables.sources` and `prepared_file`.

Where the source has no validation part, a seeded tenth of train becomes it; where it has no splits
at all, a seeded tenth becomes the test part first. Each image is decoded once and written to its
place, so memory stays small whatever the size of the set. No torch here.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from pydantic import TypeAdapter, ValidationError

from trainables.checkpoint import file_hash
from trainables.config import ImageFormat, Slug
from trainables.error import InputError
from trainables.picture import (
    Crop,
    decode,
    exact_pixels,
    fitted_pixels,
    format_of,
    resize_text,
)
from trainables.prepared_file import (
    SPLITS,
    PreparedDataset,
    alone,
    asides,
    digest,
    discarded_if_empty,
    find_prepared,
    read_metadata,
    write_arrow,
)
from trainables.seed import derive_seed
from trainables.sources import WHOLE, Source, SourceImage, open_source

LARGEST_HELD_OUT = 5000
TELL_EVERY = 1000
BUILT_IN = "digits"
Progress = Callable[[int, int], None]
Counts = dict[str, int]


def prepare_dataset(
    name: str,
    source: str | None,
    folder: Path,
    format: ImageFormat | None = None,
    progress: Progress | None = None,
    crop: Crop = "reference",
) -> PreparedDataset:
    """Prepares a data set, unless the same source was prepared before.

    Args:
        name: what the set is called from now on.
        source: a folder of images or of Parquet shards, a zip of such a folder, or a glob of
            Parquet shards; None for torchvision's download.
        folder: where the prepared file goes.
        format: what every image is to look like; others are resized (shorter side) and cropped
            (centre). Without it the first image decides, and another size is an error.
        progress: told images done and images in all.
        crop: what is cut out before, where the images are brought to a format.

    Raises:
        InputError: the source cannot be read or is refused; other content is prepared under this
            name already; or the folder cannot be written. Nothing is left behind.
    """
    _check_request(name, format, crop)
    with _refusals(name, folder), discarded_if_empty(folder):
        opened = open_source(name, source, folder)
        with alone(folder / f".{name}.lock"), contextlib.closing(opened):
            identity = digest(
                [opened.identity, [format.model_dump(), resize_text(crop)] if format else None]
            )
            before = find_prepared(name, folder)
            if before is not None and read_metadata(before.path)["source"] == identity:
                return before
            with asides(folder, name) as (raw, arrow):
                preparation = _Preparation(
                    name, folder, format, crop, identity, before, raw, arrow
                )
                return preparation.run(opened, progress or (lambda done, total: None))


@dataclass(frozen=True, slots=True)
class _Preparation:
    """One preparation under way, with its two temporary files."""

    name: str
    folder: Path
    wanted: ImageFormat | None
    crop: Crop
    identity: str
    before: PreparedDataset | None
    raw: Path
    arrow: Path

    def run(self, source: Source, progress: Progress) -> PreparedDataset:
        order, counts = self._row_order(source)
        found = self.wanted or _first_format(source)
        labels = self._decode(source, found, order, progress)
        metadata = self._describe(found, labels, counts)
        self._refuse_other(metadata["fingerprint"])
        write_arrow(self.arrow, self.raw, labels, found, metadata)
        self.arrow.replace(self.folder / f"{self.name}-{metadata['fingerprint'][:12]}.arrow")
        prepared = find_prepared(self.name, self.folder)
        assert prepared is not None
        return prepared

    def _row_order(self, source: Source) -> tuple[Int64[np.ndarray, " num"], Counts]:
        """For each image of the source its row in the prepared file; the size of each split."""
        order, counts = _ordered(np.array(source.reading().splits, dtype=str))
        if not len(order):
            raise InputError(f"the source of {self.name} holds no images")
        for split, count in counts.items():
            if count == 0:
                raise InputError(f"the source of {self.name} holds too few images for {split}")
        return np.argsort(order), counts

    def _decode(
        self,
        source: Source,
        found: ImageFormat,
        order: Int64[np.ndarray, " num"],
        progress: Progress,
    ) -> Int64[np.ndarray, " num"]:
        """Writes every image's pixels to its row of the raw file; returns the labels by row."""
        labels, size = np.empty(len(order), np.int64), found.num_dimensions
        with self.raw.open("wb") as file:
            _reserve(file.fileno(), len(order) * size)
            images = zip(order, source.images(), strict=True)
            for done, (row, image) in enumerate(images, start=1):
                pixels = self._pixels(image, found).tobytes()
                if os.pwrite(file.fileno(), pixels, int(row) * size) < size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                labels[row] = image.label
                if done % TELL_EVERY == 0 or done == len(order):
                    progress(done, len(order))
        return labels

    def _pixels(
        self, image: SourceImage, found: ImageFormat
    ) -> UInt8[np.ndarray, "channels height width"]:
        picture = decode(image.data, image.place)
        if self.wanted is None:
            return exact_pixels(picture, found, image.place)
        return fitted_pixels(picture, found, self.crop, image.place)

    def _describe(
        self, found: ImageFormat, labels: Int64[np.ndarray, " num"], counts: Counts
    ) -> dict[str, Any]:
        """What goes into the file's schema; the fingerprint is of content and preparation."""
        content = {
            "format": found.model_dump(),
            "resize": resize_text(self.crop) if self.wanted else None,
            **{f"num_{split}": count for split, count in counts.items()},
        }
        hashes = [file_hash(self.raw), hashlib.sha256(labels.tobytes()).hexdigest()]
        identity = {
            "name": self.name, "fingerprint": digest([hashes, content]), "source": self.identity
        }  # fmt: skip
        return identity | content

    def _refuse_other(self, fingerprint: str) -> None:
        if self.before is not None and self.before.fingerprint != fingerprint:
            raise InputError(
                f"{self.name} is prepared already with fingerprint"
                f" {self.before.fingerprint[:12]}, and this source has {fingerprint[:12]}; give"
                f" it another name, or remove {self.before.path}"
            )


def _check_request(name: str, wanted: ImageFormat | None, crop: Crop) -> None:
    try:
        TypeAdapter(Slug).validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"a data set is named with letters, digits, - and _, at most 64, got {name!r}"
        ) from error
    if name == BUILT_IN:
        raise InputError(f"{BUILT_IN} comes with scikit-learn; call these images something else")
    if wanted and (wanted.channels not in (1, 3) or wanted.num_levels != 256):
        raise InputError(
            f"encoded images have 1 or 3 channels of 256 levels, but {name} is asked to have"
            f" {wanted.channels} of {wanted.num_levels}"
        )
    if crop != "reference" and wanted is None:
        raise InputError(f"a crop of {crop} needs a format to bring {name} to")


@contextlib.contextmanager
def _refusals(name: str, folder: Path) -> Iterator[None]:
    """What the system refuses, in one sentence; what a source refuses has its own already."""
    try:
        yield
    except OSError as error:
        reason = (
            "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        )
        raise InputError(f"{name} cannot be prepared in {folder}: {reason}") from error


def _reserve(descriptor: int, num_bytes: int) -> None:
    """A full disk is told before an hour of decoding, not after; macOS cannot tell."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)


def _ordered(splits: np.ndarray) -> tuple[Int64[np.ndarray, " num"], Counts]:
    """Which image comes first, second, … in the order train, validation, test; sizes of each."""
    rows = {split: np.flatnonzero(splits == split) for split in SPLITS}
    if (splits == WHOLE).any():
        rows["train"], rows["test"] = _held_out(np.arange(len(splits)), "test split")
    if not len(rows["validation"]):
        rows["train"], rows["validation"] = _held_out(rows["train"], "validation split")
    return np.concatenate(list(rows.values())), {split: len(rows[split]) for split in rows}


def _held_out(
    rows: Int64[np.ndarray, " num"], purpose: str
) -> tuple[Int64[np.ndarray, " num_kept"], Int64[np.ndarray, " num_taken"]]:
    """What stays, and the seeded tenth that is taken."""
    num = min(LARGEST_HELD_OUT, max(1, len(rows) // 10))
    drawn = np.random.default_rng(derive_seed(purpose)).permutation(len(rows))
    return np.sort(rows[drawn[num:]]), np.sort(rows[drawn[:num]])


def _first_format(source: Source) -> ImageFormat:
    first = next(source.images())
    return format_of(decode(first.data, first.place), first.place)
