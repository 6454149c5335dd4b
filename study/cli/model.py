"""Commands on exported files: reproduce, sample."""

from pathlib import Path
from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()
File = Annotated[Path, typer.Argument(help="An exported YAML file.")]


@app.command()
def reproduce(
    file: File,
    seeds: Annotated[int | None, typer.Option(min=1, help="Only the first so many seeds.")] = None,
    storage: option.Storage = option.STUDIES,
    source: option.Source = None,
) -> None:
    """Train an exported config again and compare its test FID with the promised one."""
    from study.reproduce import reproduce_and_tell

    raise typer.Exit(
        reproduce_and_tell(file, storage, seeds, tuple(source or ()), option.console())
    )


@app.command()
def sample(
    file: File,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("grid.png"),
    num_samples: Annotated[int, typer.Option(min=1, max=10_000)] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
) -> None:
    """A grid of images from an exported model."""
    from study.reproduce import draw_samples

    draw_samples(file, out, num_samples, seed)
    print(out)
