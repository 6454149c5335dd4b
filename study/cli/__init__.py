"""The command line. Nothing heavy is imported before a command needs it."""

import io
import sys
from errno import EDQUOT, ENOSPC
from typing import Annotated

import typer

from study.cli import data, distance, machine, model, reading, running
from trainables.error import InputError

app = typer.Typer(
    help="Studies of priors over the latent space of VAEs: search, confirm, test, report, export.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for commands in (running.app, reading.app, model.app, distance.app, machine.app):
    app.registered_commands += commands.registered_commands
app.add_typer(data.app, name="data")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(version("prior-study"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Options of `study` itself."""


def main() -> None:
    """Entry point of `study`: 0 is well, 1 is a study that failed, 2 is wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files that are no text, and terminals that know no ×, end no command.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        print(
            f"error: the disk is full ({error}); make room, the same command goes on from here",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
