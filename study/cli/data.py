"""Commands about data sets: data prepare, data list."""

from typing import Annotated, Literal

import typer

from study.cli import option

app = typer.Typer(help="Data sets in the prepared form.", no_args_is_help=True)


@app.command()
def prepare(
    name: Annotated[
        str,
        typer.Argument(
            help="cifar10, celeba, svhn (without its extra part), mnist or fashion_mnist; with"
            " --source any name."
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="A folder of images (class folders are labels; train, valid and test folders"
            " the splits), a zip of one, or a glob of Parquet shards; unless said, torchvision"
            " downloads the set.",
        ),
    ] = None,
    crop: Annotated[
        Literal["reference", "148", "140"] | None,
        typer.Option(
            help="Of CelebA's faces: the paper's own code (shorter side to 64, centre square), or"
            " the centre 148 or 140 pixels first."
        ),
    ] = None,
    storage: option.Storage = option.STUDIES,
) -> None:
    """Bring a data set into the prepared form, with a fingerprint."""
    from study.preparation import prepare_by_name

    prepare_by_name(name, source, storage, option.console(), crop)


@app.command("list")
def list_(storage: option.Storage = option.STUDIES) -> None:
    """The prepared data sets: images by split, size, channels, labels, fingerprint."""
    from study.inventory import list_datasets

    list_datasets(storage, option.console())
