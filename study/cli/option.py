"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
    typer.Option(help="Database of the ledger, sqlite:/// or postgresql://; a journal file"
                 " in the study's folder unless said."),
]  # fmt: skip
TrackingUri = Annotated[
    str | None, typer.Option(help="MLflow tracking server; a store in the storage unless said.")
]
Address = Annotated[
    str, typer.Option(help="Ray cluster: local (this machine alone), auto, or its address.")
]
StudyName = Annotated[
    str | None, typer.Option("--name", help="Name of the study; the space's unless said.")
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Checkpoint and end after so many seconds.", min=0)
]
Source = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=GLOB",
        help="Images of a data set: a folder, a zip of one, or Parquet shards with train, valid"
        " or test in each file name, such as 'cifar10=data/cifar10_*.parquet'.",
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
STUDIES = Path("studies")


def console() -> Console:
    """The standard output; wide enough for a table where it is no terminal."""
    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=max(out.width, 140))
