"""What a person asks of a preparation, and the plan that follows once the source is seen."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from pydantic import TypeAdapter, ValidationError

from trainables.config import ImageFormat, PreparationConfig, Slug
from trainables.data.plan import Plan
from trainables.data.prepared_file import digest
from trainables.data.prepared_format import choose_format
from trainables.data.split_draw import draw_splits
from trainables.data.survey import survey_images
from trainables.data.workers import Workers
from trainables.error import InputError
from trainables.picture import Crop, resize_text
from trainables.seed import derive_seed
from trainables.sources import SelectedSource, Source

BUILT_IN = "digits"


@dataclass(frozen=True, slots=True)
class PreparationRequest:
    """What was asked for, beside the source."""

    name: str
    wanted: ImageFormat | None
    crop: Crop
    config: PreparationConfig

    def check(self) -> None:
        """Refuses what no source could fulfil."""
        name, wanted = self.name, self.wanted
        try:
            TypeAdapter(Slug).validate_python(name)
        except ValidationError as error:
            raise InputError(
                f"a data set is named with letters, digits, - and _, at most 64, got {name!r}"
            ) from error
        if name == BUILT_IN:
            raise InputError(
                f"{BUILT_IN} comes with scikit-learn; call these images something else"
            )
        if wanted and (wanted.channels not in (1, 3) or wanted.num_levels != 256):
            raise InputError(
                f"encoded images have 1 or 3 channels of 256 levels, but {name} is asked to have"
                f" {wanted.channels} of {wanted.num_levels}"
            )
        if self.crop != "reference" and wanted is None and self.config.size is None:
            raise InputError(f"a crop of {self.crop} needs a format to bring {name} to")

    def identity(self, source: Source) -> str:
        """Differs where the prepared images may differ."""
        # Fields that say nothing have no part in it, so that old files keep theirs.
        given = self.config.model_dump(
            exclude_defaults=True, exclude={"allow_duplicates", "is_strict"}
        )
        way = [self.wanted.model_dump(), resize_text(self.crop)] if self.wanted else None
        more = [given, resize_text(self.crop)] if given else []
        return digest([source.identity, way, *more])

    def plan(self, source: Source, workers: Workers, num_kept: int = 0) -> tuple[Plan, Source]:
        """The plan, and the source of the images that it takes: without broken ones, if told."""
        reading = source.reading()
        draw = draw_splits(self.name, reading, self.config.test_share)
        kept = [
            int(number)
            for split, rows in draw.rows.items()
            for number in _sample(rows, num_kept, split)
        ]
        background = self.config.background
        survey = survey_images(source, len(reading.splits), background, kept, workers=workers)
        if survey.broken:
            return self.plan(self.without(source, survey.broken), workers, num_kept)
        image, crop = choose_format(self.name, survey, self.wanted, self.crop, self.config)
        plan = Plan(self.name, reading, draw, survey, image, crop, self.config)
        plan.refuse_if_strict(plan.losses())
        return plan, source

    def without(self, source: Source, broken: dict[int, str]) -> Source:
        """The source without images that cannot be taken, if that is wanted.

        Raises:
            InputError: it is not; every one of them is named.
        """
        if self.config.skip_broken:
            return SelectedSource(source, broken)
        first, *others = broken.values()
        if not others:
            raise InputError(f"{first}; --skip-broken leaves it out")
        raise InputError(
            f"{len(broken):,} images cannot be taken, and --skip-broken leaves them out:"
            f" {'; '.join(broken.values())}"
        )


def _sample(rows: Int64[np.ndarray, " _"], num: int, split: str) -> Int64[np.ndarray, " _"]:
    draw = np.random.default_rng(derive_seed("contact sheet", split))
    return np.sort(draw.permutation(rows)[:num])
