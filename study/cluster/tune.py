"""The door to Ray on the driver's side: Tune asks our driver, and does nothing on its own.

Ray retries nothing (`max_failures=0`), restores nothing and writes no results of its own: who
retries, resumes and remembers is the ledger.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Before Ray is imported, since it reads them then. Epochs report no FID, only rungs do; workers
# run in the driver's own environment; our observers log, not Ray's callbacks; we handle Ctrl-C.
os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search_spaces.budget import ResourcesSpec
from study.driver import Driver
from study.ledger.failure import NodeLostError, failure_in
from trainables.data.dataset import ImageDataset
from trainables.error import InputError
from trainables.suggestion import Workplace
from trainables.trainable import PriorTrainable


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """A Ray cluster: a `local` one of its own, or the one at `address` (`auto`: this machine's).

    Raises:
        InputError: no cluster answers there.
    """
    local = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    where: dict[str, Any] = local if address == "local" else {"address": address}
    logging.getLogger("ray").setLevel(logging.ERROR)  # before it announces how it authenticates
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise InputError(
            f"no Ray cluster answers at {address!r}; start one (`ray up cluster.yaml`) or leave"
            " --address away for this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def run_trials(
    driver: Driver,
    workplace: Workplace,
    datasets: Mapping[str, ImageDataset],
    resources: ResourcesSpec,
    ray_folder: Path,
    *,
    asks_ahead: bool = False,
) -> None:
    """Runs trials until the driver has none left to issue, or is told to stop.

    Args:
        driver: issues trials and takes results.
        workplace: what all workers share.
        datasets: by name; each travels once per node, through Ray's object store.
        resources: what one trial takes.
        ray_folder: Ray's own files; removed before and after.
        asks_ahead: whether trials are issued that have no room yet, for a cluster that grows when
            it is asked for more. Otherwise a trial is issued when it can begin: with one slot
            the sampler has then seen the same trials, whatever was lost and repeated on the way.

    Raises:
        NodeLostError: the node of a cluster of our own has died, and all its workers with it.
    """
    shutil.rmtree(ray_folder, ignore_errors=True)
    # Tune asks for one actor ahead by default, and gives an actor that becomes free to the trial
    # that waits for a new one: short trials would then run one at a time for ever.
    num_slots = _num_slots(resources)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(num_slots)
    trainable = tune.with_resources(
        tune.with_parameters(
            PriorTrainable, workplace=workplace.model_dump(), datasets=dict(datasets)
        ),
        lambda config: _request(resources, config["resource_factor"]),
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=_LedgerSearcher(driver, None if asks_ahead else num_slots),
            scheduler=_LedgerScheduler(driver),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ray_folder),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
        ),
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    tuner.fit()
    shutil.rmtree(ray_folder, ignore_errors=True)


class _LedgerSearcher(Searcher):
    """Ray asks for the next trial; the driver answers."""

    def __init__(self, driver: Driver, limit: int | None) -> None:
        """Takes how many trials may be under way at once, None for as many as Tune asks for."""
        super().__init__(metric="val_fid", mode="min")
        self.driver, self.limit = driver, limit

    def suggest(  # type: ignore[override]  # ray: FINISHED, a str, is not in its annotation
        self, trial_id: str
    ) -> dict[str, Any] | str | None:
        is_full = self.limit is not None and len(self.driver.running) >= self.limit
        if is_full and not self.driver.should_stop():
            return None
        suggestion = self.driver.issue(trial_id)
        if suggestion is not None:
            return {
                "suggestion": suggestion.model_dump(mode="json"),
                "resource_factor": self.driver.resource_factor(trial_id),
            }
        return Searcher.FINISHED if self.driver.is_over else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: the scheduler, which is told first, has told the driver."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles its searcher for a restore that we never ask for."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""


class _LedgerScheduler(FIFOScheduler):
    """Ray brings each result; the driver decides whether the trial goes on."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # ray: typed in part
        self.driver = driver

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as for the searcher."""
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        must_stop = self.driver.absorb(trial.trial_id, result["payload"][0])
        return str(TrialScheduler.STOP if must_stop else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self.driver.absorb(trial.trial_id, result["payload"][0])

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        # As text: Ray's own accessor looks where the file is not copied to yet, and the other
        # form of it is a pickle.
        self.driver.fail(trial.trial_id, failure_in(Path(trial.error_file).read_text()))

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Kills what is stuck, since Tune asks this at every turn; then as Tune does.

        Raises:
            NodeLostError: see `run_trials`; Ray itself would end this process without a word.
        """
        if _own_node_is_dead():
            raise NodeLostError("the Ray node of this machine has died")
        at_work = {t.trial_id: t for t in tune_controller.get_live_trials() if _works(t)}
        for name in self.driver.stuck(at_work):
            ray.kill(at_work[name].temporary_state.ray_actor)
        return super().choose_trial_to_run(tune_controller)


def _works(trial: Any) -> bool:
    return trial.status == "RUNNING" and trial.temporary_state.ray_actor is not None


def _own_node_is_dead() -> bool:
    """Whether the node that `cluster` started is gone; of other clusters we own no process."""
    node = ray._private.worker._global_node
    dead: list[tuple[str, Any]] = node.dead_processes() if node else []
    return any(kind in ("raylet", "gcs_server") for kind, _ in dead)


def _request(resources: ResourcesSpec, factor: int) -> tune.PlacementGroupFactory:
    """What an issue asks of Ray: a multiple of a trial's resources that some node still has."""
    largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes()), default=0)
    cpus = max(resources.cpus, min(factor * resources.cpus, largest))
    # One device at most, since a trial uses no second one.
    gpus = max(resources.gpus, min(factor * resources.gpus, 1))
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}])


def _num_slots(resources: ResourcesSpec) -> int:
    """How many trials fit the cluster as it is now, at least one."""
    there = ray.cluster_resources()
    slots = there.get("CPU", 0) // resources.cpus
    if resources.gpus:
        slots = min(slots, there.get("GPU", 0) // resources.gpus)
    return max(1, int(slots))
