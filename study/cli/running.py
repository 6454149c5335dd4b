"""Commands that run trials: run, confirm, retry, and stop."""

import time
from pathlib import Path
from typing import Annotated

import typer

from study.cli import option

app = typer.Typer()


@app.command()
def run(
    space: option.Space,
    overrides: option.Overrides = None,
    storage: option.Storage = option.STUDIES,
    ledger: option.Ledger = None,
    tracking_uri: option.TrackingUri = None,
    address: option.Address = "local",
    name: option.StudyName = None,
    time_limit: option.TimeLimit = None,
    source: option.Source = None,
    enqueue: option.Enqueue = None,
    size: option.Size = None,
    crop: option.Crop = None,
    channels: option.Channels = None,
    levels: option.Levels = None,
    label: option.Label = None,
    group: option.Group = None,
    test_share: option.TestShare = None,
    background: option.LaidOver = option.Background.WHITE,
    skip_broken: option.SkipBroken = False,
    allow_duplicates: option.AllowDuplicates = False,
    strict: option.Strict = False,
) -> None:
    """Search, confirm, test, report, export; run it again to resume."""
    from study.data.image_preparation import Preparation
    from study.run.launch import run_study

    config = option.preparation(
        size=size, channels=channels, num_levels=levels, label=label, group=group,
        test_share=test_share, background=background.value, skip_broken=skip_broken,
        allow_duplicates=allow_duplicates, is_strict=strict,
    )  # fmt: skip

    outcome = run_study(
        space,
        overrides=overrides or (),
        console=option.console(),
        storage=storage,
        ledger=ledger,
        tracking_uri=tracking_uri,
        address=address,
        name=name,
        time_limit=time_limit,
        sources=tuple(source or ()),
        preparation=Preparation(config, crop.value if crop else None),
        enqueue=tuple(enqueue or ()),
    )
    raise typer.Exit(outcome.exit_code)


@app.command()
def confirm(
    name: option.Name,
    seeds: Annotated[
        str | None, typer.Option(metavar="+N", help="How many more seeds for the configs.")
    ] = None,
    retest: Annotated[
        str | None,
        typer.Option(
            metavar="STRATUM",
            help="A tested stratum whose search was extended: its better config is tested, too.",
        ),
    ] = None,
    why: Annotated[
        str | None, typer.Option(help="The reason for --retest; the report shows it.")
    ] = None,
    storage: option.Storage = option.STUDIES,
    address: option.Address = "local",
    time_limit: option.TimeLimit = None,
) -> None:
    """More seeds for the configs that stand, each tested once; or a look at another config."""
    from trainables.error import InputError

    if seeds is None and retest is None:
        raise InputError("study confirm needs --seeds +N, or --retest STRATUM with --why")
    if (retest is None) != (not (why or "").strip()):
        raise InputError(
            "--retest looks at the test split once more, so it needs --why with the reason, which"
            " the report shows; and --why needs --retest"
        )
    again = (retest, str(why).strip()) if retest else None
    more = _more_seeds(seeds) if seeds else 0
    _resume(name, storage, address, time_limit, more_seeds=more, retest=again)


@app.command()
def retry(
    name: option.Name,
    storage: option.Storage = option.STUDIES,
    address: option.Address = "local",
    time_limit: option.TimeLimit = None,
) -> None:
    """The FAILed trials again, each as a new number beyond the budget."""
    _resume(name, storage, address, time_limit, retry_failed=True)


@app.command()
def stop(
    name: option.Name,
    storage: option.Storage = option.STUDIES,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the driver's end.")] = 60,
) -> None:
    """Ask a running study to checkpoint and end."""
    from study.storage.layout import open_layout
    from study.storage.lock import holder

    layout = open_layout(storage, name)
    layout.load_spec()
    running = holder(layout.lock)
    if running is None:
        print(f"{name} is not running")
        return
    layout.stop_request.touch()
    print(f"asked {running} to stop {name}")
    deadline = time.monotonic() + wait
    while holder(layout.lock) is not None:
        if time.monotonic() > deadline:
            print(f"it has not ended within {wait:.0f} seconds; it will at its next result")
            raise typer.Exit(1)
        time.sleep(0.2)
    print(f"{name} has ended; `study run` goes on with it")


@app.command()
def sync(
    name: option.Name,
    storage: option.Storage = option.STUDIES,
    tracking_uri: option.TrackingUri = None,
) -> None:
    """Send MLflow what it lacks of a study, or all of it anew; reads ledger and histories."""
    from study.storage.layout import open_layout

    layout, console = open_layout(storage, name), option.console()
    layout.load_spec()  # MLflow takes seconds to load
    from study.tracking.registered_model import register_study
    from study.tracking.sync import sync_study

    sync_study(layout, tracking_uri, console)
    register_study(layout, console, tracking_uri)


def _more_seeds(text: str) -> int:
    from trainables.error import InputError

    digits = text.removeprefix("+")
    if not digits.isdigit() or int(digits) == 0:
        raise InputError(f"--seeds needs a number of further seeds, such as +2; got {text!r}")
    return int(digits)


def _resume(
    name: str,
    storage: Path,
    address: str,
    time_limit: float | None,
    *,
    retry_failed: bool = False,
    more_seeds: int = 0,
    retest: tuple[str, str] | None = None,
) -> None:
    from study.run.launch import Options, resume_study
    from study.storage.layout import open_layout

    outcome = resume_study(
        open_layout(storage, name),
        option.console(),
        retry_failed=retry_failed,
        more_seeds=more_seeds,
        retest=retest,
        options=Options(storage=storage, address=address, time_limit=time_limit),
    )
    raise typer.Exit(outcome.exit_code)
