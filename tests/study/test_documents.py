"""Every command that the README and the documents show is one that `study` takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from study.cli import app

EXACT = {"study doctor", "study list", "study status"}
ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown_commands() -> list[str]:
    """The commands in code blocks and between backticks, without what is said behind them."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for block in re.findall(r"```\n(.*?)```", text, re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [re.sub(r"\s+", " ", line) if "\\" in block else line for line in lines]
        found += re.findall(r"`(study [^`]+)`", text.replace("\n", " "))
    commands = [line.removeprefix("uv run ").strip() for line in found]
    return sorted({re.split(r"\s{2,}", line)[0] for line in commands if line.startswith("study ")})


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_that_is_shown_can_be_typed(line: str) -> None:
    arguments = shlex.split(line.replace("…", "text"))[1:]
    command = typer.main.get_command(app)
    while commands := getattr(command, "commands", None):
        assert arguments, f"{line} names no command"
        command, arguments = commands[arguments[0]], arguments[1:]
    if arguments or line in EXACT:  # a command that is only named needs no arguments
        command.make_context("study", arguments)


def test_a_command_that_is_wrong_is_noticed() -> None:
    for line in ("study run digits --nothing", "study stop digits now", "study nothing"):
        with pytest.raises((Exception, KeyError)):
            test_a_command_that_is_shown_can_be_typed(line)


def test_there_are_many_of_them() -> None:
    assert len(shown_commands()) > 25
