"""Commands that only read: show, list, status, report, export."""

from pathlib import Path
from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()


@app.command()
def show(
    space: option.Space,
    overrides: option.Overrides = None,
) -> None:
    """Strata, domains, budget, and what it will cost; nothing runs."""
    from search_spaces import load_space
    from study.preview.space import show_space

    show_space(load_space(space, overrides or ()), option.console())


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new study, and of its file.")],
    overrides: option.Overrides = None,
    origin: Annotated[
        str, typer.Option("--from", metavar="SPACE", help="The space that it begins as.")
    ] = "digits",
    out: Annotated[Path, typer.Option(help="Folder that the file is written to.")] = Path(),
) -> None:
    """Write a space of one's own: every field with its range and default, ready to edit."""
    from study.preview.new_space import write_new_space

    write_new_space(name, origin, tuple(overrides or ()), out, option.console())


@app.command()
def schema() -> None:
    """The JSON schema of a space's file, which editors complete and check it with."""
    from study.preview.new_space import schema_text

    print(schema_text(), end="")


@app.command("list")
def list_(storage: option.Storage = option.STUDIES) -> None:
    """Every study of a storage: how far it is, whether it runs, when it last changed."""
    from study.run.study_list import list_studies

    list_studies(storage, option.console())


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(help="Name of a study in the storage; all of them without it.")
    ] = None,
    storage: option.Storage = option.STUDIES,
) -> None:
    """How far a study is, also while it runs."""
    if name is None:
        list_(storage)
        return
    from study.run.status import show_status
    from study.storage.layout import open_layout

    show_status(open_layout(storage, name), option.console())


@app.command()
def report(
    name: option.Name,
    storage: option.Storage = option.STUDIES,
    protocol: Annotated[
        bool, typer.Option("--protocol", help="Only print what each FID was measured with.")
    ] = False,
    against: Annotated[
        str | None, typer.Option(help="A second study of this storage, to lay beside it.")
    ] = None,
) -> None:
    """Write the report of what is known so far, also while the study runs."""
    from study.run.outcome import show_protocols_of, write_outcome
    from study.storage.layout import open_layout

    layout = open_layout(storage, name)
    if protocol:
        show_protocols_of(layout, option.console())
        return
    other = open_layout(storage, against) if against else None
    write_outcome(layout, layout.load_spec(), exports=False, against=other)
    print(layout.report)


@app.command()
def export(
    name: option.Name,
    storage: option.Storage = option.STUDIES,
    to: Annotated[
        Path | None, typer.Option(help="Folder for the files; by default the study's export/.")
    ] = None,
    table: Annotated[
        bool,
        typer.Option(
            "--table",
            help="Everything that the table needs to be made again, the weights of every seed"
            " too; needs --to.",
        ),
    ] = False,
) -> None:
    """One file per stratum with a test FID: a config that `study reproduce` runs again."""
    from study.run.outcome import write_outcome, write_table
    from study.storage.layout import open_layout
    from trainables.error import InputError

    layout = open_layout(storage, name)
    if table:
        if to is None:
            raise InputError("study export --table needs --to FOLDER, a new folder of its own")
        print(write_table(layout, layout.load_spec(), to))
        return
    files = write_outcome(layout, layout.load_spec(), report=False, export_to=to)
    for file in files:
        print(file)
    if not files:
        print(f"{name} has no test FID yet; nothing is exported")
        raise typer.Exit(1)
