"""The command that compares any two sets of images."""

from enum import StrEnum
from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()
Images = Annotated[
    str,
    typer.Argument(
        help="A prepared set (NAME, NAME:train, NAME:validation, NAME:test), a folder of images"
        " or of Parquet files, a zip of images, a glob of Parquet files, or an exported YAML file,"
        " whose model is sampled.",
    ),
]


class Features(StrEnum):
    """The feature spaces by name."""

    CLASSIFIER = "classifier"
    INCEPTION = "inception"
    PIXELS = "pixels"


@app.command()
def fid(
    a: Images,
    b: Images,
    features: Annotated[
        Features, typer.Option(help="The space that the distance is measured in.")
    ] = Features.CLASSIFIER,
    weights: Annotated[
        str | None, typer.Option(metavar="PATH", help="Inception's weights, of torch-fidelity.")
    ] = None,
    classifier_dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The prepared set that a classifier is trained on."),
    ] = None,
    classifier_epochs: Annotated[
        int, typer.Option(min=1, max=1000, help="How long it is trained.")
    ] = 10,
    num_images: Annotated[
        int | None, typer.Option(min=1, help="Only so many images of each set, drawn by a seed.")
    ] = None,
    size: option.Size = None,
    channels: option.Channels = None,
    storage: option.Storage = option.STUDIES,
) -> None:
    """FID, KID, precision and recall of images A against images B, with their protocol."""
    from study.distance.image_distance import tell_image_distance
    from trainables.config import FIDConfig

    config = FIDConfig(
        features=features.value,
        weights=weights,
        classifier_dataset=classifier_dataset,
        classifier_epochs=classifier_epochs,
    )
    wanted = option.preparation(size=size, channels=channels)
    tell_image_distance(a, b, config, num_images, storage, option.console(), wanted)
