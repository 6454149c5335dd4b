"""Commands on exported files: reproduce, sample."""

from pathlib import Path
from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()
File = Annotated[Path, typer.Argument(help="An exported YAML file.")]


@app.command()
def reproduce(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER|SPACE",
            help="An exported YAML file; a folder of `study export --table`, every row of which"
            " runs again; or a space with numbers of the paper, such as table1_paper.",
        ),
    ],
    overrides: option.Overrides = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="So many fresh seeds instead of those promised, held to the interval; of a space"
            " the seeds to confirm with.",
        ),
    ] = None,
    storage: option.Storage = option.STUDIES,
    address: option.Address = "local",
    source: option.Source = None,
) -> None:
    """Run an exported config, table or the paper's own table again: obtained against promised."""
    from search_spaces import space_names
    from trainables.error import InputError

    sources, console = tuple(source or ()), option.console()
    if target in space_names():
        from study.reproduce.paper_table import reproduce_paper

        raise typer.Exit(
            reproduce_paper(target, overrides or [], seeds, storage, address, sources, console)
        )
    if overrides:
        raise InputError(f"an export runs as it is; got {overrides[0]!r} beside {target}")
    from study.reproduce.console import reproduce_and_tell

    raise typer.Exit(reproduce_and_tell(Path(target), storage, seeds, sources, address, console))


@app.command()
def sample(
    file: File,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("grid.png"),
    num_samples: Annotated[int, typer.Option(min=1, max=10_000)] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
) -> None:
    """A grid of images from an exported model."""
    from study.export.sample import draw_samples

    draw_samples(file, out, num_samples, seed)
    print(out)
