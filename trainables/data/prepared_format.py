"""What the images of a source become: size, channels, levels, and the crop on the way there."""

from trainables.config import KNOWN_FORMATS, ImageFormat, PreparationConfig
from trainables.data.survey import Survey
from trainables.error import InputError
from trainables.picture import Crop


def choose_format(
    name: str,
    survey: Survey,
    wanted: ImageFormat | None,
    crop: Crop,
    config: PreparationConfig,
) -> tuple[ImageFormat, Crop | None]:
    """What the images become, and by which crop; None where they are taken as they are.

    Args:
        name: the set's.
        survey: what they look like.
        wanted: the format that is given, if any.
        crop: the crop that is given.
        config: what a person said about size, channels and levels.

    Raises:
        InputError: sizes differ or images are not square, and no size is given; or colours would
            be lost that nobody gave up.
    """
    if wanted is not None:
        _refuse_lost_colours(name, survey, wanted, config)
        return wanted, crop
    channels = config.channels or (3 if survey.num_grey < survey.sizes.total() else 1)
    levels = config.num_levels or 256
    if config.size is not None:
        image = ImageFormat(channels=channels, size=config.size, num_levels=levels)
        return image, None if set(survey.sizes) == {(config.size, config.size)} else crop
    width, height = survey.first_size
    place = survey.example[width, height]
    if width != height:
        raise InputError(
            f"{place} is {width}×{height}, and images need to be square; --size"
            f" {_fitting_size(survey)} brings their shorter side to so many pixels and takes the"
            " centre square"
        )
    if not 4 <= width <= 1024:
        raise InputError(
            f"{place} is {width}×{height}, and a side needs 4 to 1024 pixels; --size 64 brings"
            " every image to that size"
        )
    _refuse_other_sizes(survey)
    return ImageFormat(channels=channels, size=width, num_levels=levels), None


def _refuse_other_sizes(survey: Survey) -> None:
    first, *others = survey.sizes
    if not others:
        return
    width, height = others[0]
    num = survey.sizes.total() - survey.sizes[first]
    raise InputError(
        f"{survey.example[others[0]]} is {width}×{height}, and the first image"
        f" {first[0]}×{first[1]}: all need one size, but {num:,} of"
        f" {survey.sizes.total():,} have another; --size {_fitting_size(survey)} brings them to"
        " one"
    )


def _fitting_size(survey: Survey) -> int:
    """The shorter side of the smallest image, so that none is resampled up; at most 64."""
    return max(4, min(64, min(min(size) for size in survey.sizes)))


def _refuse_lost_colours(
    name: str, survey: Survey, wanted: ImageFormat, config: PreparationConfig
) -> None:
    """Images that are grey by their name, and have colours: something else may be meant."""
    if name in KNOWN_FORMATS and wanted.channels == 1 and survey.num_coloured:
        if config.channels == 1:
            return
        raise InputError(
            f"{name} has grey images, but {survey.num_coloured:,} of {survey.num_decoded:,} looked"
            " at have colours; --channels 1 gives the colours up, another name keeps them"
        )
