"""`study sync`: MLflow made equal to ledger and histories, or made anew from nothing."""

from rich.console import Console
from rich.progress import track

from study.record import TrialRecord, load_records
from study.storage.layout import Layout, local_artifacts, tracking_uri
from study.storage.lock import hold
from study.tracking.address import check_tracking_uri, shown_uri
from study.tracking.mirror import Mirror
from study.tracking.sender import reason_of
from study.tracking.store import STORE_ERRORS
from study.tracking.tracker import open_mirror
from trainables.error import InputError


def sync_study(layout: Layout, uri: str | None, console: Console) -> None:
    """Sends whatever MLflow lacks of a study; nothing else changes.

    Args:
        layout: the study's.
        uri: where to send it, this once; by default where the study is shown.
        console: where to show progress.

    Raises:
        InputError: there is no such study, a driver runs it, or the store does not answer.
    """
    spec = layout.load_spec()
    where = uri or tracking_uri(layout)
    check_tracking_uri(where)
    place = f"MLflow at {shown_uri(where)}"
    with hold(layout.lock):
        records = [r for r in load_records(layout.storage, spec.name) if r.config]
        try:
            mirror = open_mirror(where, spec, layout.study, local_artifacts(layout, where))
            _show_all(mirror, records, console)
        except STORE_ERRORS as error:
            raise InputError(
                f"{place} was not reached: {reason_of(error)}; what was sent is kept, and"
                f" `study sync {spec.name}` sends the rest"
            ) from error
    console.print(f"{spec.name}: {len(records)} trials are in {place}", soft_wrap=True)


def _show_all(mirror: Mirror, records: list[TrialRecord], console: Console) -> None:
    is_finished = all(record.state != "RUNNING" for record in records)
    mirror.show_study(records, is_at_work=False, is_finished=is_finished)
    hidden = not console.is_terminal
    for record in track(records, "sending", console=console, disable=hidden, transient=True):
        mirror.show(record)
