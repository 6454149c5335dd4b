"""What a preparation understood of a source and is going to do, told before it does it.

A plan names everything that is lost on the way: files that are left out, colours, transparency,
frames, what a crop cuts off, pixels that are made up. No torch here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainables.config import ImageFormat, PreparationConfig
from trainables.count import plural
from trainables.data.split_draw import SplitDraw
from trainables.data.survey import Survey
from trainables.error import InputError
from trainables.picture import Crop
from trainables.sources import Reading, SourceImage

# Fewer levels than these are a mask, or values that somebody forgot to scale.
FEWEST_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """A preparation before its work.

    Attributes:
        name: the set's.
        reading: what the source was understood to hold.
        draw: which image lies in which split.
        survey: what the images look like.
        format: what they become.
        crop: what is cut out on the way; None where every image has its size already.
        config: what a person said beside the source.
    """

    name: str
    reading: Reading
    draw: SplitDraw
    survey: Survey
    format: ImageFormat
    crop: Crop | None
    config: PreparationConfig

    @property
    def split_rules(self) -> tuple[str, ...]:
        """Where the splits come from, and which were cut."""
        return (*self.reading.rules, *self.draw.rules)

    def conversions(self) -> list[str]:
        """What images lose or are given on the way, as far as headers tell; empty if nothing."""
        return [*self._resized(), *self._unasked()]

    def warnings(self) -> list[str]:
        """What a person should know before going on, a sentence each."""
        survey = self.survey
        found = [*self.reading.warnings, *self._unasked()]
        if survey.num_transparent:
            found.append(
                f"{plural(survey.num_transparent, 'image')} of {survey.num_decoded:,} looked at"
                f" transparent in places, laid over {self.config.background}"
            )
        low, high = survey.levels
        if survey.num_decoded and high - low + 1 < FEWEST_LEVELS and self.format.num_levels == 256:
            found.append(
                f"all images looked at use the levels {low} to {high} of 0 to 255 only;"
                f" --levels {max(2, high + 1)} takes them as the only ones there are"
            )
        if self.format.channels == 3 and survey.num_decoded and not survey.num_coloured:
            found.append("no image looked at has colours; --channels 1 keeps one channel of three")
        if self.draw.num_parted:
            found.append(f"{plural(self.draw.num_parted, 'group')} in more than one split")
        return found

    def notes(self) -> list[str]:
        """What is done without a loss, or is not known."""
        survey, notes = self.survey, []
        if self.format.channels == 3 and survey.num_grey:
            notes.append(
                f"{plural(survey.num_grey, 'grey image')} brought to three equal channels"
            )
        if survey.num_turned:
            notes.append(f"{plural(survey.num_turned, 'image')} turned as the camera noted")
        if self.draw.is_cut and self.reading.groups is None:
            notes.append(
                "no group is known: images of one person, patient or video may lie in two splits;"
                " --group keeps them together"
            )
        return notes

    def losses(self) -> list[str]:
        """What `--strict` refuses: files left out and warnings."""
        files = [
            f"{plural(left.num, 'file')} left out, {left.reason}, such as {left.example}"
            for left in self.reading.left_out
            if not left.is_system
        ]
        return files + self.warnings()

    def refuse_if_strict(self, losses: Sequence[str]) -> None:
        """Refuses losses where they are not wanted.

        Raises:
            InputError: there is one, and `config.is_strict`.
        """
        if self.config.is_strict and losses:
            raise InputError(
                f"{self.name} would lose something, which --strict refuses: {losses[0]}"
            )

    def kept(self) -> Iterator[tuple[str, SourceImage]]:
        """The images that were asked for, with their splits."""
        order = self.draw.order
        for number, image in sorted(self.survey.kept.items(), key=lambda item: order[item[0]]):
            yield self.draw.split_of_row(int(order[number])), image

    def as_dict(self) -> dict[str, Any]:
        """What the prepared file remembers."""
        return {
            "splits": list(self.split_rules),
            "conversions": self.conversions(),
            "left_out": [[left.num, left.reason] for left in self.reading.left_out],
            "classes": list(self.reading.classes),
        }

    def _resized(self) -> list[str]:
        """What was asked for: a size, and a crop on the way."""
        if self.crop is None:
            return []
        return _resized_texts(self.survey, self.format.size, _square_of(self.crop))

    def _unasked(self) -> list[str]:
        """What nobody asked for."""
        return losses_of(self.survey, self.format, self.crop)


def losses_of(survey: Survey, image: ImageFormat, crop: Crop | None) -> list[str]:
    """What images lose that nobody asked for, as far as their headers tell."""
    square = _square_of(crop) if crop else image.size
    num_up = sum(num for sides, num in survey.sizes.items() if (square or min(sides)) < image.size)
    is_grey = image.channels == 1 and survey.num_coloured
    losses = [
        (survey.num_with_frames, "of several frames, of which the first is taken"),
        (survey.num_converted, "with the colours of print or video, brought to RGB"),
        # As far as the images that were looked at tell.
        (
            survey.num - len(survey.broken) - survey.num_grey if is_grey else 0,
            "without the colours that they have",
        ),
        (num_up, f"resampled up to {image.size}×{image.size}"),
    ]
    return [f"{plural(num, 'image')} {text}" for num, text in losses if num]


def _square_of(crop: Crop) -> int | None:
    """Pixels of the square that is cut out first; None where it is the shorter side."""
    return None if crop == "reference" else int(crop)


def _resized_texts(survey: Survey, size: int, square: int | None) -> list[str]:
    cropped = num_down = 0
    least = 1.0
    for (width, height), num in survey.sizes.items():
        side = square or min(width, height)
        share = side**2 / (width * height)
        least = min(least, share)
        cropped += num if share < 1 else 0
        num_down += num if side > size else 0
    texts = []
    if cropped:
        texts.append(
            f"{plural(cropped, 'image')} cut to the centre square of"
            f" {square or 'the shorter side'}: {least:.0%} of the area at least"
        )
    if num_down:
        texts.append(f"{plural(num_down, 'image')} resampled down to {size}×{size}")
    return texts
