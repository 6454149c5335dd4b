"""Commands about this machine: data, ui, doctor."""

from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()
data_app = typer.Typer(help="Data sets in the prepared form.", no_args_is_help=True)


@data_app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="The data set's name, such as cifar10.")],
    source: Annotated[
        str | None,
        typer.Option(metavar="GLOB", help="Parquet shards, train, valid or test in each name."),
    ] = None,
    storage: option.Storage = option.STUDIES,
) -> None:
    """Bring a data set into the prepared form, with a fingerprint."""
    from study.dataset import prepare_by_name

    prepare_by_name(name, source, storage, option.console())


@app.command()
def ui(
    storage: option.Storage = option.STUDIES,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
) -> None:
    """MLflow on this storage, on 127.0.0.1."""
    from study.ui import serve

    serve(storage, port)


@app.command()
def doctor(storage: option.Storage = option.STUDIES) -> None:
    """What this machine has, lacks, and what to do about it."""
    from study.doctor import examine

    raise typer.Exit(examine(storage, option.console()))
