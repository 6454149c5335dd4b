"""A study in MLflow while a driver runs it, from its start to a last line on what is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from search_spaces import StudySpec
from study.ledger import Ledger
from study.record import load_records
from study.storage.layout import Layout, local_artifacts, tracking_uri
from study.tracking.address import shown_uri
from study.tracking.mirror import Mirror
from study.tracking.tracker import Tracker, open_mirror
from trainables.error import InputError


@contextmanager
def tracked(
    layout: Layout, spec: StudySpec, ledger: Ledger, console: Console
) -> Iterator[Tracker]:
    """Inside, an observer for the driver; afterwards all is sent, or it is said what is not."""
    uri = tracking_uri(layout)

    def connect() -> Mirror:
        return open_mirror(uri, spec, layout.study, local_artifacts(layout, uri))

    def tell(line: str) -> None:
        console.print(
            f"MLflow at {shown_uri(uri)}: {line}", soft_wrap=True, highlight=False, markup=False
        )

    tracker = Tracker(connect, spec, note=ledger.note, tell=tell)
    tracker.begin(load_records(layout.storage, spec.name))
    try:
        yield tracker
    except InputError:  # nothing ran, and nobody works on the study any more
        _end(tracker, layout, spec, ledger)
        raise
    missing = _end(tracker, layout, spec, ledger)
    if missing:
        tell(f"{len(missing)} runs lack something; `study sync {spec.name}` sends it")


def _end(tracker: Tracker, layout: Layout, spec: StudySpec, ledger: Ledger) -> tuple[str, ...]:
    records = load_records(layout.storage, spec.name)
    return tracker.end(records, is_finished=ledger.is_finished)
