"""What one epoch of one trial showed."""

import math
from dataclasses import asdict, dataclass
from typing import Any


class DivergenceError(ArithmeticError):
    """A loss or measurement is not finite: the trial has diverged and cannot go on."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One epoch, observed: complete and finite, or it does not exist.

    A NaN would pass every rung, since pruners compare with `<`; so it never gets this far.

    Attributes:
        epoch: number of epochs finished, from 1.
        rate: validation KL(q(z|x) || p(z)) or its upper bound, nats per image; lower is better.
        distortion: validation E_q[-log p(x|z)], nats per image; lower is better.
        elbo: -(rate + distortion), nats per image; higher is better.
        bits_per_dim: the bound in bits per dimension of the original levels; lower is better.
        train_rate: mean rate over the epoch's training batches, nats per image.
        train_distortion: mean distortion over the epoch's training batches, nats per image.
        kl_weight: weight of the rate in this epoch's training loss.
        seconds: training and evaluation time of this epoch.
        val_fid: Fréchet distance to the validation part, at rungs only; lower is better. It is
            that of the weights with the best validation ELBO so far.
        best_epoch: the epoch of those weights; given exactly where val_fid is.
    """

    epoch: int
    rate: float
    distortion: float
    elbo: float
    bits_per_dim: float
    train_rate: float
    train_distortion: float
    kl_weight: float
    seconds: float
    val_fid: float | None = None
    best_epoch: int | None = None

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            if not math.isfinite(value):
                raise DivergenceError(f"{name} is {value} in epoch {self.epoch}")

    def as_dict(self) -> dict[str, int | float]:
        """The fields that have a value, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Measurement":
        """The inverse of `as_dict`."""
        return cls(**values)
