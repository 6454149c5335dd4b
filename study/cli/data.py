"""Commands about data sets: data prepare, data list."""

from pathlib import Path
from typing import Annotated

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
        list[str] | None,
        typer.Option(
            metavar="[SPLIT=]PATH",
            help="A folder of images (class folders are labels; train, valid and test folders"
            " the splits), a zip of one, a folder or a glob of Parquet shards; give it as"
            " train=PATH and test=PATH where splits lie apart. By default torchvision downloads"
            " the set.",
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and do nothing.")
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Write 8 × 8 images of each split with their classes as a picture."
        ),
    ] = None,
    size: option.Size = None,
    crop: option.Crop = None,
    channels: option.Channels = None,
    levels: option.Levels = None,
    label: option.Label = None,
    group: option.Group = None,
    test_share: option.TestShare = None,
    background: option.LaidOver = option.Background.WHITE,
    skip_broken: option.SkipBroken = False,
    allow_duplicates: option.AllowDuplicates = False,
    strict: option.Strict = False,
    storage: option.Storage = option.STUDIES,
) -> None:
    """Bring a data set into the prepared form, with a fingerprint; first says how."""
    from study.data.image_preparation import Preparation
    from study.data.preparation import prepare_by_name

    config = option.preparation(
        size=size, channels=channels, num_levels=levels, label=label, group=group,
        test_share=test_share, background=background.value, skip_broken=skip_broken,
        allow_duplicates=allow_duplicates, is_strict=strict,
    )  # fmt: skip
    wanted = Preparation(config, crop.value if crop else None)
    prepare_by_name(
        name, source, storage, option.console(), wanted, is_plan_only=plan, preview=preview
    )


@app.command("list")
def list_(storage: option.Storage = option.STUDIES) -> None:
    """The prepared data sets: images by split, size, channels, labels, fingerprint."""
    from study.data.inventory import list_datasets

    list_datasets(storage, option.console())
