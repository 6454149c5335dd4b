"""How many parameters a trial's model has, read from its weights without torch.

A file of weights begins with the shape of every tensor. A model's state also holds numbers that
training does not move, which are known by their names: what batch norm has seen, the order and
masks of a flow, its fixed base, the squared errors that an analytic variance is found with. What a
prior of a user's own registers beside its parameters is counted among them.
"""

import math
from collections import Counter
from pathlib import Path

from safetensors import SafetensorError, safe_open

WEIGHTS = "best.safetensors"
_UNMOVED = (
    ".running_mean", ".running_var", ".num_batches_tracked", ".mask", ".order", ".base.loc",
    ".base.scale", ".mean_squared_error",
)  # fmt: skip


def num_parameters(folder: Path) -> dict[str, int] | None:
    """Parameters by part of the model (encoder, likelihood, prior); None without its weights.

    Args:
        folder: of a checkpoint.
    """
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            names = [name for name in weights.keys() if not name.endswith(_UNMOVED)]  # noqa: SIM118
            shapes = {name: weights.get_slice(name).get_shape() for name in names}
    except (OSError, SafetensorError):
        return None
    counts: Counter[str] = Counter()
    for name, shape in shapes.items():
        counts[name.partition(".")[0]] += math.prod(shape)
    return dict(counts)
