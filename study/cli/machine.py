"""Commands about this machine: ui, doctor."""

from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()


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
