"""What a person says about the images of a source, for `study data prepare` and `study run`."""

from dataclasses import dataclass, field

from trainables.config import KNOWN_FORMATS, ImageFormat, PreparationConfig
from trainables.error import InputError
from trainables.picture import Crop

# Of the one set whose images are cut out in more than one way.
FACES = "celeba"


@dataclass(frozen=True, slots=True)
class Preparation:
    """How images of a source are prepared, as a person said.

    Attributes:
        config: see there.
        crop: what is cut out of every image; None where nothing was said.
    """

    config: PreparationConfig = field(default_factory=PreparationConfig)
    crop: Crop | None = None

    def format_of(self, name: str) -> ImageFormat | None:
        """What the images are brought to, where that is known before they are seen.

        Raises:
            InputError: they are known to be of one size, and another is asked for.
        """
        known, config = KNOWN_FORMATS.get(name), self.config
        if known is None:
            return KNOWN_FORMATS[FACES] if self.crop and config.size is None else None
        if self.crop is not None and name != FACES:
            raise InputError(
                f"--crop is for faces of {FACES} and images of your own, and {name} is taken as it"
                " is"
            )
        if config.size is not None or config.num_levels is not None:
            raise InputError(
                f"{name} is {known.size} pixels wide by its name; give the images another name to"
                " prepare them with --size or --levels"
            )
        return known
