"""What one epoch of one trial showed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from operator import attrgetter
from typing import Any


class DivergenceError(ArithmeticError):
    """A loss or measurement is not finite: the trial has diverged and cannot go on."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """How much of the latent space is in use, on the validation part.

    Attributes:
        active_units: dimensions that tell something of the image, as the trial counts them.
        mutual_information: estimate of I(x; z) in nats; it cannot exceed its ceiling.
        ceiling: log N, with N the number of images that it was estimated with.
        is_saturated: whether the estimate is so near its ceiling that it says "at least".
        aggregate_gap: estimate of KL(q(z) || p(z)) in nats, the rate minus the information: how
            far the aggregate posterior is from the prior; lower is better. An upper bound where
            the rate is one.
        rate_by_dimension: mean rate of each latent dimension, nats; empty where the prior does not
            factorise.
    """

    active_units: int
    mutual_information: float
    ceiling: float
    is_saturated: bool
    aggregate_gap: float
    rate_by_dimension: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """One epoch, observed: complete and finite, or it does not exist.

    A NaN would pass every rung, since pruners compare with `<`; so it never gets this far.

    Attributes:
        epoch: number of epochs finished, from 1.
        rate: validation KL(q(z|x) || p(z)) or its upper bound, nats per image; lower is better.
            Where the trial departs from its bound, what it trains with instead.
        distortion: validation E_q[-log p(x|z)], nats per image; lower is better. Where the trial
            departs from its bound, what it trains with instead.
        elbo: -(rate + distortion), nats per image; higher is better. None without a bound.
        bits_per_dim: the bound in bits per dimension of the original levels; lower is better.
            None where there is no bound on a probability of levels.
        standard_error: of rate + distortion as means over the validation images, nats.
        rate_noise: standard error of the mean rate that comes from the prior's own draws alone,
            nats; 0 where the prior is exact given z.
        rate_parts: terms of the rate by name, nats per image; they sum to it.
        train_rate: mean rate over the epoch's training batches, nats per image.
        train_distortion: mean distortion over the epoch's training batches, nats per image.
        kl_weight: weight of the rate in this epoch's training loss.
        learning_rate: the learning rate of this epoch.
        seconds: training and evaluation time of this epoch.
        val_fid: Fréchet distance to the validation part, at rungs only; lower is better. It is
            that of the weights with the best validation loss so far.
        best_epoch: the epoch of those weights; given exactly where val_fid is.
        collapse: how much of the latent space is in use, where val_fid is given.
        cpu_percent: CPU time of this epoch over its time, 100 for one core; no part of equality.
        memory_megabytes: peak memory, 2^20 bytes: allocated on the GPU in this epoch, or of the
            process so far where it trains on the CPU; no part of equality.
    """

    epoch: int
    rate: float
    distortion: float
    elbo: float | None
    bits_per_dim: float | None
    train_rate: float
    train_distortion: float
    kl_weight: float
    seconds: float
    standard_error: float = 0.0
    rate_noise: float = 0.0
    rate_parts: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float | None = None
    val_fid: float | None = None
    best_epoch: int | None = None
    collapse: Collapse | None = None
    cpu_percent: float | None = field(default=None, compare=False)
    memory_megabytes: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # A study has many epochs, and most are plain: what is not finite spoils a sum.
        plain = sum(value for value in _PLAIN(self) if value is not None)
        if not self.rate_parts and self.collapse is None and math.isfinite(plain):
            return
        for name, value in self.scalars().items():
            if not math.isfinite(value):
                raise DivergenceError(f"{name} is {value} in epoch {self.epoch}")

    @property
    def loss(self) -> float:
        """Rate + distortion, nats per image; lower is better. It chooses the weights to keep."""
        return self.rate + self.distortion

    def scalars(self) -> dict[str, int | float]:
        """Every number that there is by a name of its own, such as `rate_L_T`."""
        return dict(_scalars("", _fields(self)))

    def as_dict(self) -> dict[str, Any]:
        """The fields that have a value, by name, as plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Measurement":
        """The inverse of `as_dict`, also of one that went through JSON."""
        collapse = values.get("collapse")
        if collapse is not None:
            by_dimension = tuple(collapse.get("rate_by_dimension", ()))
            collapse = Collapse(**collapse | {"rate_by_dimension": by_dimension})
        return cls(**{"elbo": None, "bits_per_dim": None} | values | {"collapse": collapse})


_PLAIN = attrgetter(
    *(f.name for f in fields(Measurement) if f.name not in ("rate_parts", "collapse"))
)


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that have a value, as they are: `asdict` copies them all."""
    pairs = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
    return {name: own for name, own in pairs if own is not None}


def _scalars(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    for name, value in values.items():
        match value:
            case float() | int():  # most are; a mapping takes longest to recognise
                yield f"{prefix}{name}", value
            case Collapse():
                yield from _scalars("", _fields(value))
            case Mapping():
                yield from _scalars("rate_" if name == "rate_parts" else "", value)
            case tuple() | list():
                yield from _scalars(f"{name}_", {str(i): v for i, v in enumerate(value)})
            case _:
                yield f"{prefix}{name}", value
