"""A progress bar while images are prepared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


@contextmanager
def preparation_bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A function to tell (name, images done, images in all); it draws one bar per data set."""
    columns = (TextColumn("preparing {task.description}"), BarColumn(), MofNCompleteColumn())
    bars: dict[str, TaskID] = {}
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:

        def tell(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done, total=total)

        yield tell
