"""From a source of images to one prepared file, see `trainables.sources` and `prepared_file`.

The source is read, its images are looked at, and a plan says what will be done
(`trainables.data.plan`); then each image is decoded and written to its place
(`trainables.data.decoding`), so memory stays small whatever the size of the set. No torch here.
"""

import contextlib
import errno
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.config import ImageFormat, PreparationConfig
from trainables.count import plural
from trainables.data.decoding import Decoded, Recipe, decode_images
from trainables.data.overlap import Overlap, check_overlap, count_overlap
from trainables.data.plan import Plan
from trainables.data.preparation_request import PreparationRequest
from trainables.data.prepared_file import (
    PreparedDataset,
    alone,
    asides,
    digest,
    discarded_if_empty,
    find_prepared,
    read_metadata,
    write_arrow,
)
from trainables.data.workers import Workers
from trainables.error import InputError
from trainables.file import file_hash
from trainables.picture import Crop, resize_text
from trainables.sources import Source, open_sources

Progress = Callable[[int, int], None]
Tell = Callable[[Plan], None]


def prepare_dataset(
    name: str,
    source: str | Sequence[str] | None,
    folder: Path,
    format: ImageFormat | None = None,
    progress: Progress | None = None,
    crop: Crop = "reference",
    config: PreparationConfig | None = None,
    tell: Tell | None = None,
) -> PreparedDataset:
    """Prepares a data set, unless the same source was prepared before.

    Args:
        name: what the set is called from now on.
        source: a folder of images or of Parquet shards, a zip of such a folder, or a glob of
            Parquet shards; several of the form `train=PATH` for sources of one split each; None
            for torchvision's download.
        folder: where the prepared file goes.
        format: what every image is to look like; others are resized (shorter side) and cropped
            (centre). Without it and without `config.size` all images need one size.
        progress: told images done and images in all.
        crop: what is cut out before, where the images are brought to a format.
        config: what is said beside the source, see there.
        tell: takes the plan, before its work begins.

    Raises:
        InputError: the source cannot be read or is refused; other content is prepared under this
            name already; or the folder cannot be written. Nothing is left behind.
    """
    request = PreparationRequest(name, format, crop, config or PreparationConfig())
    request.check()
    with _refusals(name, folder), discarded_if_empty(folder):
        opened = open_sources(name, source, folder, request.config)
        with alone(folder / f".{name}.lock"), contextlib.closing(opened):
            identity = request.identity(opened)
            before = find_prepared(name, folder)
            if before is not None and read_metadata(before.path)["source"] == identity:
                return before
            with asides(folder, name) as (raw, arrow), Workers() as workers:
                work = _Preparation(request, folder, identity, before, raw, arrow, workers)
                return work.run(opened, progress or (lambda done, total: None), tell)


def plan_dataset(
    name: str,
    source: str | Sequence[str] | None,
    folder: Path,
    format: ImageFormat | None = None,
    crop: Crop = "reference",
    config: PreparationConfig | None = None,
    num_kept: int = 0,
) -> Plan:
    """What `prepare_dataset` would do; nothing is written.

    Args:
        name: see `prepare_dataset`.
        source: see `prepare_dataset`.
        folder: see `prepare_dataset`.
        format: see `prepare_dataset`.
        crop: see `prepare_dataset`.
        config: see `prepare_dataset`.
        num_kept: images of each split that the plan keeps for a contact sheet.

    Raises:
        InputError: the source cannot be read or is refused.
    """
    request = PreparationRequest(name, format, crop, config or PreparationConfig())
    request.check()
    with _refusals(name, folder), discarded_if_empty(folder):
        opened = open_sources(name, source, folder, request.config)
        with contextlib.closing(opened), Workers() as workers:
            return request.plan(opened, workers, num_kept)[0]


@dataclass(frozen=True, slots=True)
class _Preparation:
    """One preparation under way, with its two temporary files and its workers."""

    request: PreparationRequest
    folder: Path
    identity: str
    before: PreparedDataset | None
    raw: Path
    arrow: Path
    workers: Workers

    def run(self, source: Source, progress: Progress, tell: Tell | None) -> PreparedDataset:
        plan, source = self.request.plan(source, self.workers)
        if tell is not None:
            tell(plan)
        recipe = Recipe(plan.format, plan.crop, plan.config.background, self.raw)
        decoded = decode_images(source.images(), plan.draw.order, recipe, progress, self.workers)
        if decoded.broken:
            # Once more, since the splits that are cut depend on which images there are.
            return self.run(self.request.without(source, decoded.broken), progress, tell)
        seen = _seen_texts(decoded, plan)
        plan.refuse_if_strict(seen)
        overlap = _overlap(decoded, plan)
        check_overlap(overlap, plan.name, is_allowed=plan.config.allow_duplicates)
        metadata = self._describe(plan, decoded, overlap, seen)
        self._refuse_other(metadata["fingerprint"])
        write_arrow(self.arrow, self.raw, decoded.labels, plan.format, metadata)
        self.arrow.replace(self.folder / f"{plan.name}-{metadata['fingerprint'][:12]}.arrow")
        prepared = find_prepared(plan.name, self.folder)
        assert prepared is not None
        return prepared

    def _describe(
        self, plan: Plan, decoded: Decoded, overlap: Overlap, seen: Sequence[str]
    ) -> dict[str, Any]:
        """What goes into the file's schema; the fingerprint is of content and preparation."""
        content = {
            "format": plan.format.model_dump(),
            "resize": resize_text(plan.crop) if plan.crop else None,
            **{f"num_{split}": count for split, count in plan.draw.counts.items()},
        }
        hashes = [file_hash(self.raw), hashlib.sha256(decoded.labels.tobytes()).hexdigest()]
        told = plan.as_dict()
        told["conversions"] += seen
        return {
            "name": plan.name, "fingerprint": digest([hashes, content]), "source": self.identity,
            "overlap": overlap.as_dict(), "preparation": told,
        } | content  # fmt: skip

    def _refuse_other(self, fingerprint: str) -> None:
        if self.before is not None and self.before.fingerprint != fingerprint:
            raise InputError(
                f"{self.request.name} is prepared already with fingerprint"
                f" {self.before.fingerprint[:12]}, and this source has {fingerprint[:12]}; give"
                f" it another name, or remove {self.before.path}"
            )


def _seen_texts(decoded: Decoded, plan: Plan) -> list[str]:
    """What only the pixels of all images told."""
    background = plan.config.background
    texts = {
        "transparent": f"transparent in places, laid over {background}",
        "coloured": "in colour, brought to grey",
    }
    return [
        f"{plural(decoded.seen[key], 'image')} {text}"
        for key, text in texts.items()
        if decoded.seen[key]
    ]


def _overlap(decoded: Decoded, plan: Plan) -> Overlap:
    """The images of one split that are in another."""
    ends = np.cumsum(list(plan.draw.counts.values()))[:-1]
    came, prepared, looks, constant = (
        dict(zip(plan.draw.counts, np.split(values, ends), strict=True))
        for values in (decoded.came, decoded.prepared, decoded.looks, decoded.constant)
    )
    return count_overlap(came, prepared, looks, constant)


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
