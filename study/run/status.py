"""How far a study is, from its ledger."""

from rich.console import Console

from study.ledger import Ledger
from study.run.progress import Progress
from study.storage.layout import Layout, ledger_url
from study.storage.lock import holder


def show_status(layout: Layout, console: Console) -> None:
    """Prints who runs the study and a line per stratum.

    Raises:
        InputError: there is no such study.
    """
    spec = layout.load_spec()
    running = holder(layout.lock)
    console.print(f"{spec.name}: run by {running}" if running else f"{spec.name}: not running")
    progress = Progress(spec, Ledger.read(ledger_url(layout), spec.name), console)
    console.print(progress.table())
    console.print(f"{progress.num_done} of {progress.num_planned} trials and tests done")
