"""The door to Ray for seeds that run again side by side: what was asked goes in, results come out.

Nothing is retried: a seed that fails is told, and the others go on.
"""

from collections.abc import Iterator, Mapping, Sequence

from study.export.judgement import Obtained
from study.export.rerun import Rerun, run_again
from study.ray_adapter import cluster  # first, since it tells Ray how to start
from trainables.data import ImageDataset

import ray  # isort: skip


def run_side_by_side(
    reruns: Sequence[Rerun],
    datasets: Mapping[str, ImageDataset],
    address: str,
    gpus: float = 0,
) -> Iterator[tuple[int, Obtained | str]]:
    """Runs every seed, as many at a time as the cluster has room for.

    Args:
        reruns: the seeds.
        datasets: by key; each travels once per node.
        address: of the cluster, as for `study.ray_adapter.cluster`.
        gpus: share of a GPU that each takes, where there is one.

    Yields:
        The place of a seed in `reruns`, and what was obtained, or why nothing was.

    Raises:
        InputError: no cluster answers at the address.
    """
    with cluster(address):
        shared = {name: ray.put(dataset) for name, dataset in datasets.items()}
        largest = max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes())
        share = gpus if ray.cluster_resources().get("GPU", 0) >= gpus else 0
        pending = {
            ray.remote(run_again)
            .options(num_cpus=min(rerun.num_threads, largest), num_gpus=share, max_retries=0)
            .remote(rerun, shared[rerun.dataset]): place
            for place, rerun in enumerate(reruns)
        }
        while pending:
            (done, *_), _ = ray.wait(list(pending), num_returns=1)
            yield pending.pop(done), _result(done)


def _result(done: "ray.ObjectRef[Obtained]") -> Obtained | str:
    try:
        obtained: Obtained = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return f"it raised {type(error.cause).__name__}: {error.cause}"
    except ray.exceptions.RayError as error:
        return f"its worker was lost: {' '.join(str(error).split())[:200]}"
    return obtained
