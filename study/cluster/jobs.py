"""The door to Ray for calls of one function that run side by side: values go in, results come out.

Nothing is retried: a call that fails is told, and the others go on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from study.cluster.tune import cluster  # first, since it tells Ray how to start
from trainables.data.dataset import ImageDataset

import ray  # isort: skip


Argument = TypeVar("Argument")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job(Generic[Argument]):
    """One call.

    Attributes:
        argument: what the function is called with, beside the images.
        dataset: key of the images.
        num_cpus: cores that it takes.
    """

    argument: Argument
    dataset: str
    num_cpus: int


def run_side_by_side(
    work: Callable[[Argument, ImageDataset], Result],
    jobs: Sequence[Job[Argument]],
    datasets: Mapping[str, ImageDataset],
    address: str,
    gpus: float = 0,
) -> Iterator[tuple[int, Result | str]]:
    """Calls a function for every job, as many at a time as the cluster has room for.

    Args:
        work: the function, which is importable on every node.
        jobs: its arguments.
        datasets: by key; each travels once per node.
        address: of the cluster, as for `study.cluster.tune.cluster`.
        gpus: share of a GPU that each takes, where there is one.

    Yields:
        The place of a job in `jobs`, and what the call returned, or why it did not.

    Raises:
        InputError: no cluster answers at the address.
    """
    with cluster(address):
        shared = {name: ray.put(dataset) for name, dataset in datasets.items()}
        largest = max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes())
        share = gpus if ray.cluster_resources().get("GPU", 0) >= gpus else 0
        pending = {
            ray.remote(work)
            .options(num_cpus=min(job.num_cpus, largest), num_gpus=share, max_retries=0)
            .remote(job.argument, shared[job.dataset]): place
            for place, job in enumerate(jobs)
        }
        while pending:
            (done, *_), _ = ray.wait(list(pending), num_returns=1)
            yield pending.pop(done), _result(done)


def _result(done: "ray.ObjectRef[Result]") -> Result | str:
    try:
        result: Result = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return f"it raised {type(error.cause).__name__}: {error.cause}"
    except ray.exceptions.RayError as error:
        return f"its worker was lost: {' '.join(str(error).split())[:200]}"
    return result
