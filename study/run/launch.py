"""`study run`: search, confirm, test, report, export; run again to resume."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from search_spaces import StudySpec, check_extension, load_space, space_of_revision
from study.data.image_preparation import Preparation
from study.ledger import Ledger
from study.run.enqueue import load_wish
from study.run.outcome import Outcome, conclude, tell_rivals
from study.run.question import begun_question, check_asked, check_unedited
from study.run.session import drive
from study.run.stop import Stop
from study.storage.layout import (
    Layout,
    discard_if_empty,
    ledger_url,
    make_folders,
    open_layout,
    save_settings,
)
from study.storage.lock import hold
from study.tracking.address import check_tracking_uri
from trainables.error import InputError
from trainables.file import file_hash


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a study, beside its space; see `study run --help`."""

    storage: Path = Path("studies")
    ledger: str | None = None
    tracking_uri: str | None = None
    address: str = "local"
    name: str | None = None
    time_limit: float | None = None
    sources: tuple[str, ...] = ()
    preparation: Preparation | None = None
    enqueue: tuple[Path, ...] = ()


def run_study(
    space: str | Path | StudySpec,
    *,
    overrides: Iterable[str] = (),
    console: Console | None = None,
    **options: Any,
) -> Outcome:
    """Runs a study to its end, or goes on with one that was interrupted.

    Args:
        space: a space's name, its file, or the space itself.
        overrides: `key=value` for any field of the space.
        console: where to show progress; by default the standard output.
        options: fields of `Options`.

    Returns:
        What the study found, and whether it is finished.

    Raises:
        InputError: something is wrong with the space, the data or the storage; nothing ran.
    """
    chosen = Options(**options)
    if chosen.tracking_uri:
        check_tracking_uri(chosen.tracking_uri)
    spec = space if isinstance(space, StudySpec) else load_space(space, overrides)
    if chosen.name:
        spec = spec.model_copy(update={"name": chosen.name})
    layout = open_layout(chosen.storage, spec.name)
    return _launch(layout, spec, chosen, console or Console())


def resume_study(
    layout: Layout,
    console: Console,
    *,
    retry_failed: bool = False,
    more_seeds: int = 0,
    retest: tuple[str, str] | None = None,
    options: Options | None = None,
) -> Outcome:
    """Goes on with a study that was started, after asking its ledger for more.

    Args:
        layout: the study's.
        console: where to show progress.
        retry_failed: ask the FAILed trials again.
        more_seeds: further confirm seeds for the configs that stand.
        retest: a tested stratum whose better config is to be tested, too, and the reason.
        options: how to run.

    Raises:
        InputError: there is no such study, or another driver runs it.
    """
    spec = layout.load_spec()
    check_unedited(layout, spec)
    with hold(layout.lock):
        ledger = Ledger(spec, ledger_url(layout))
        if retry_failed:
            console.print(f"{ledger.retry_failed()} failed trials are asked again")
        if more_seeds:
            ledger.add_confirm_seeds(more_seeds)
        if retest:
            ledger.retest(*retest)
        return _run(layout, spec, ledger, options or Options(), console)


def _launch(layout: Layout, spec: StudySpec, options: Options, console: Console) -> Outcome:
    stored = layout.load_spec() if layout.spec.is_file() else None
    if stored is not None:
        check_unedited(layout, stored)
    begun = stored or begun_question(layout)
    if begun is not None:
        spec = _as_begun(spec, begun, console)
    if stored is not None:
        spec = _extended(layout, stored, spec, options, console)
    else:
        spec = _found(layout, spec, options, console)
        check_asked(layout, spec)
    wishes = [load_wish(path, spec) for path in options.enqueue]
    make_folders(layout)
    with hold(layout.lock):
        save_settings(layout, options.ledger, options.tracking_uri)
        if spec != stored:
            spec = layout.save_spec(spec)
        ledger = Ledger(spec, ledger_url(layout))
        for wish in wishes:
            ledger.enqueue(wish.stratum, wish.params, wish.overrides)
        return _run(layout, spec, ledger, options, console)


def _as_begun(spec: StudySpec, stored: StudySpec, console: Console) -> StudySpec:
    """The space as it goes on a study that an earlier version of this program began."""
    if spec.revision == stored.revision:
        return spec
    console.print(
        f"note: {stored.name} was started with revision {stored.revision} of what its fields mean,"
        " and goes on as it began; a study under another --name has the newest",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    return space_of_revision(spec, stored.revision)


def _found(layout: Layout, spec: StudySpec, options: Options, console: Console) -> StudySpec:
    """The space with what its data sets were found to be."""
    from study.data.dataset import (
        check_names,
        find_datasets,
        load_datasets,
        parse_sources,
        ready_fid,
    )
    from study.data.preparation_bar import preparation_bar

    tell = partial(console.print, highlight=False, soft_wrap=True)
    sources = parse_sources(options.sources)
    check_names(spec, sources, layout.data)
    make_folders(layout)
    try:
        with preparation_bar(console) as progress:
            facts = find_datasets(
                spec, sources, layout.data, progress, options.preparation, console
            )
        spec = spec.with_datasets(facts)
        console.print("preparing the FID: features and statistics of the real images")
        ready_fid(spec, load_datasets(spec, layout.data), layout.data, tell)
    except InputError:
        discard_if_empty(layout)
        raise
    return spec


def _extended(
    layout: Layout, stored: StudySpec, asked: StudySpec, options: Options, console: Console
) -> StudySpec:
    """The question as it was asked now, if it extends the stored one; else refuses it."""
    hashes = [[file_hash(Path(plugin)) for plugin in spec.plugins] for spec in (stored, asked)]
    if not set(hashes[0]) <= set(hashes[1]):
        raise InputError(
            f"study {stored.name!r} was started with other plugins; give it the same files (copies"
            f" are in {layout.plugins}), or give the new study another --name"
        )
    # Checked before data are looked for, which may take minutes.
    check_extension(stored, asked.model_copy(update={"datasets": stored.datasets}))
    if set(asked.strata.dataset) <= set(stored.datasets):
        extended = asked.with_datasets(stored.datasets)
    else:
        extended = _found(layout, asked, options, console)
        check_extension(stored, extended)
    same = hashes[0] == hashes[1]
    return extended.model_copy(update={"plugins": stored.plugins}) if same else extended


def _run(
    layout: Layout, spec: StudySpec, ledger: Ledger, options: Options, console: Console
) -> Outcome:
    started = time.monotonic()
    stop = Stop(layout.stop_request, options.time_limit)
    layout.stop_request.unlink(missing_ok=True)
    if ledger.is_finished and layout.report.is_file():
        tell_rivals(spec.name, ledger.rivals(), console)
        return conclude(layout, spec, console, is_finished=True, write=False)
    drive(layout, spec, ledger, options.address, console, stop)
    layout.stop_request.unlink(missing_ok=True)
    if stop.reason and not ledger.is_finished:
        console.print(
            f"[yellow]stopped[/]: {stop.reason}; the same command goes on from here",
            highlight=False,
        )
    if ledger.is_finished:
        tell_rivals(spec.name, ledger.rivals(), console)
    elapsed = time.monotonic() - started
    outcome = conclude(
        layout, spec, console, is_finished=ledger.is_finished, write=True, elapsed=elapsed
    )
    return replace(outcome, exit_code=1) if stop.is_failure else outcome
