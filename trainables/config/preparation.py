"""How a source of images becomes a prepared set, where a person says more than its name."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.base import Frozen

NO_LABEL = "none"


class PreparationConfig(Frozen):
    """What a person may say about a source; each field left alone follows from the images.

    `label` names the column of Parquet files that holds the class (`none` for no class), and
    `group` what belongs together: a column of theirs, or a regular expression on the path of an
    image, whose first group (or whole match) is the name; a group never lies in two splits that
    we cut. `test_share` is the share of all images that becomes the test split where the source
    has none. `size` brings every image to so many pixels a side (shorter side, then the centre
    square), `channels` to grey or colour, `num_levels` takes values below it as they are.
    `background` is what transparent pixels are laid over. `skip_broken` leaves out images that do
    not decode, `allow_duplicates` takes test images that are train images, and `is_strict` refuses
    whatever would be left out or converted with a loss.
    """

    label: Annotated[str, Field(min_length=1)] | None = None
    group: Annotated[str, Field(min_length=1)] | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    size: Annotated[int, Field(ge=4, le=1024)] | None = None
    channels: Literal[1, 3] | None = None
    num_levels: Annotated[int, Field(ge=2, le=256)] | None = None
    background: Literal["white", "black"] = "white"
    skip_broken: bool = False
    allow_duplicates: bool = False
    is_strict: bool = False
