"""A stratum, one cell of the table, and the axes whose product the strata are."""

from dataclasses import dataclass
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticKnownError

from trainables.config import Frozen, Slug, prior_kinds

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """One cell of the table: dataset × prior × latent size."""

    dataset: str
    prior: str
    latent_size: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.prior}/{self.latent_size}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str(stratum)`."""
        dataset, prior, latent_size = text.split("/")
        return cls(dataset, prior, int(latent_size))


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _distinct(values: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"each value may stand once, got {list(values)}")
    return values


def known_prior(kind: str) -> str:
    """The kind itself, where a prior is registered under it."""
    if kind not in prior_kinds():
        raise PydanticKnownError("literal_error", {"expected": ", ".join(prior_kinds())})
    return kind


_AsList = (BeforeValidator(_listed), Field(min_length=1), AfterValidator(_distinct))
_LatentSize = Annotated[int, Field(ge=1, le=65536)]


class StrataSpec(Frozen):
    """The axes of the table; the strata are their product."""

    dataset: Annotated[tuple[Slug, ...], *_AsList]
    prior: Annotated[tuple[Annotated[str, AfterValidator(known_prior)], ...], *_AsList]
    latent_size: Annotated[tuple[_LatentSize, ...], *_AsList]
