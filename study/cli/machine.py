"""Commands about this machine: ui, doctor."""

from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()


@app.command()
def ui(
    name: Annotated[
        str | None, typer.Argument(help="The study to open; by default the one that ran last.")
    ] = None,
    storage: option.Storage = option.STUDIES,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    browse: Annotated[bool, typer.Option("--browse", help="Open it in the browser, too.")] = False,
) -> None:
    """MLflow on this storage, on 127.0.0.1, at the comparison that answers a study's question."""
    from study.tracking.ui import serve

    serve(storage, port, name, browse=browse)


@app.command()
def doctor(storage: option.Storage = option.STUDIES) -> None:
    """What this machine has, lacks, and what to do about it."""
    from study.doctor import examine

    raise typer.Exit(examine(storage, option.console()))
