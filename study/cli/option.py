"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from trainables.config import PreparationConfig

Space = Annotated[str, typer.Argument(help="A space's name (digits, table1) or its YAML file.")]
Name = Annotated[str, typer.Argument(help="Name of a study in the storage.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Override any field of the space, such as budget.max_epochs=10"
        " strata.latent_size=40,100.",
    ),
]
Storage = Annotated[
    Path, typer.Option(help="Folder that holds studies, prepared data and the MLflow store.")
]
Ledger = Annotated[
    str | None,
    typer.Option(help="Database of the ledger, sqlite:/// or postgresql://; by default a"
                 " journal file in the study's folder."),
]  # fmt: skip
TrackingUri = Annotated[
    str | None, typer.Option(help="MLflow tracking server; by default a store in the storage.")
]
Address = Annotated[
    str, typer.Option(help="Ray cluster: local (this machine alone), auto, or its address.")
]
StudyName = Annotated[
    str | None, typer.Option("--name", help="Name of the study; by default the space's.")
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Checkpoint and end after so many seconds.", min=0)
]
Source = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=PATH",
        help="Images of a data set: a folder, a zip of one, or Parquet files, such as"
        " 'cifar10=data/cifar10_*.parquet'; NAME=train=PATH and NAME=test=PATH where splits lie"
        " apart.",
    ),
]
Enqueue = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A config to try first in its stratum: an exported YAML, or one with its stratum and"
        " the fields that it sets.",
    ),
]
PREPARATION = "Preparation of images that have a --source"


class CropKind(StrEnum):
    """The crops by name."""

    REFERENCE = "reference"
    SQUARE_148 = "148"
    SQUARE_140 = "140"


class Background(StrEnum):
    """What transparent pixels may be laid over."""

    WHITE = "white"
    BLACK = "black"


Size = Annotated[
    int | None,
    typer.Option(
        min=4,
        max=1024,
        help="Bring every image to so many pixels a side: shorter side, then the centre square.",
        rich_help_panel=PREPARATION,
    ),
]
Crop = Annotated[
    CropKind | None,
    typer.Option(
        help="What is cut out: the centre square of the shorter side (reference, as the paper's"
        " code does with CelebA), or the centre 148 or 140 pixels first. To 64 pixels a side,"
        " or --size.",
        rich_help_panel=PREPARATION,
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        metavar="1|3",
        help="Grey or colour; by default colour, if any image has more than one channel.",
        rich_help_panel=PREPARATION,
    ),
]
Levels = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=256,
        help="Values that a pixel can take, where they count from 0 and are fewer than 256.",
        rich_help_panel=PREPARATION,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|none",
        help="The column of Parquet files that holds the class; `label` by default.",
        rich_help_panel=PREPARATION,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|REGEX",
        help="What belongs together (a person, a patient, a video) and is never parted by a split"
        " that is cut here: a column of Parquet files, or a regular expression on an image's"
        " path, whose first group names it.",
        rich_help_panel=PREPARATION,
    ),
]
TestShare = Annotated[
    float | None,
    typer.Option(
        help="Cut this share of all images as the test split, where the source has none.",
        rich_help_panel=PREPARATION,
    ),
]
LaidOver = Annotated[
    Background,
    typer.Option("--background", help="What transparent pixels are laid over.",
                 rich_help_panel=PREPARATION),
]  # fmt: skip
SkipBroken = Annotated[
    bool,
    typer.Option("--skip-broken", help="Leave out images that cannot be decoded.",
                 rich_help_panel=PREPARATION),
]  # fmt: skip
AllowDuplicates = Annotated[
    bool,
    typer.Option(
        "--allow-duplicates",
        help="Take a set of which more than 0.1 % of a split is, pixel by pixel, in another.",
        rich_help_panel=PREPARATION,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Refuse to leave a file out or to convert with a loss.",
                 rich_help_panel=PREPARATION),
]  # fmt: skip
STUDIES = Path("studies")


def console() -> Console:
    """The standard output; wide enough for a table where it is not a terminal."""
    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=max(out.width, 140))


def preparation(**fields: object) -> "PreparationConfig":
    """What the options about a preparation say.

    Raises:
        InputError: a value is out of its bounds.
    """
    from pydantic import ValidationError

    from trainables.config import PreparationConfig
    from trainables.error import InputError

    try:
        return PreparationConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = OPTION_NAMES.get(str(first["loc"][0]), str(first["loc"][0]))
        raise InputError(
            f"--{name.replace('_', '-')}: {first['msg'].lower()}, got {first['input']!r}"
        ) from error


# Where an option is not called as the field is.
OPTION_NAMES = {"num_levels": "levels", "is_strict": "strict"}
