"""The trials of a study on Ray, with all who listen, from the first to the last."""

from collections.abc import Callable
from functools import partial

from rich.console import Console

from search_spaces import StudySpec
from study.driver import Driver
from study.ledger import Ledger
from study.ledger.failure import NodeLostError
from study.run.progress import Progress
from study.run.retention import Retention
from study.run.stop import Stop
from study.storage.layout import Layout

NUM_NODES = 5  # one after the other; what kills them all will kill the next


def drive(
    layout: Layout, spec: StudySpec, ledger: Ledger, address: str, console: Console, stop: Stop
) -> None:
    """Runs what the ledger has left, until it is finished or asked to stop.

    Args:
        layout: the study's.
        spec: its question.
        ledger: its truth, opened by this driver alone.
        address: of the Ray cluster; see `study.cluster.tune.cluster`.
        console: where progress and notes go.
        stop: asked between results.

    Raises:
        InputError: data sets, FID or cluster are not to be had.
    """
    from study.cluster.tune import cluster, run_trials
    from study.data.dataset import load_datasets, ready_fid
    from study.preview.end_signal import chain_notes
    from study.storage.environment import current_environment, remember_environment
    from study.tracking.session import tracked
    from trainables.suggestion import Workplace
    from trainables.training.trainer import device_name

    for note in chain_notes(spec):
        _note(console, note)
    datasets = load_datasets(spec, layout.data)
    ready_fid(spec, datasets, layout.data)
    workplace = Workplace(
        study_folder=str(layout.study),
        data_folder=str(layout.data),
        num_threads=spec.resources.cpus,
        plugins=spec.plugins,
        checkpoint_seconds=60 * spec.resources.checkpoint_minutes,
    )
    with tracked(layout, spec, ledger, console) as tracker:
        progress = Progress(spec, ledger.facts(), console)
        retention = Retention(layout.study)
        retention.make_up(ledger.facts().trials)
        driver = Driver(ledger, (tracker, progress, retention), stop, warn=partial(_note, console))

        def run() -> None:
            remember_environment(
                layout.environments, current_environment(spec.resources.cpus, device_name())
            )
            # Listening begins after Ray has, which puts handlers of its own in place.
            with cluster(address), stop.listening(), progress.showing():
                run_trials(
                    driver, workplace, datasets, spec.resources, layout.ray,
                    asks_ahead=address != "local",
                )  # fmt: skip

        _outlive_nodes(run, driver, stop, console)


def _outlive_nodes(run: Callable[[], None], driver: Driver, stop: Stop, console: Console) -> None:
    """Runs trials; on a new node where the one before has died."""
    for _ in range(NUM_NODES):
        if driver.ledger.is_finished or stop():
            return
        try:
            return run()
        except NodeLostError as error:
            driver.lose_all(str(error))
            _note(console, f"{error}; what ran there goes on on a new one")
    stop.fail(f"the Ray node of this machine has died {NUM_NODES} times")


def _note(console: Console, text: str) -> None:
    console.print(f"[yellow]note[/]: {text}", soft_wrap=True)
