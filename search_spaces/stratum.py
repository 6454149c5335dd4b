"""A stratum, one cell of the table or a repeat of its search, and the axes of the table."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticKnownError

from search_spaces.listed import AS_LIST
from trainables.config import Frozen, Slug, prior_kinds

_REPEAT = "repeat-"


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """One cell of the table, dataset × prior × latent size, or a repeat of its search.

    Everything of a repeat goes by its name, so repeat 0 is the stratum as it is without repeats.
    """

    dataset: str
    prior: str
    latent_size: int
    repeat: int = 0

    def __str__(self) -> str:
        """`digits/flow/8`, and `digits/flow/8/repeat-1` of a repeat."""
        name = f"{self.dataset}/{self.prior}/{self.latent_size}"
        return f"{name}/{_REPEAT}{self.repeat}" if self.repeat else name

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str(stratum)`."""
        dataset, prior, latent_size, *repeat = text.split("/")
        number = int(repeat[0].removeprefix(_REPEAT)) if repeat else 0
        return cls(dataset, prior, int(latent_size), number)


def known_prior(kind: str) -> str:
    """The kind itself, where a prior is registered under it."""
    if kind not in prior_kinds():
        raise PydanticKnownError("literal_error", {"expected": ", ".join(prior_kinds())})
    return kind


_LatentSize = Annotated[int, Field(ge=1, le=65536)]


class StrataSpec(Frozen):
    """The axes of the table; the strata are their product."""

    dataset: Annotated[tuple[Slug, ...], *AS_LIST]
    prior: Annotated[tuple[Annotated[str, AfterValidator(known_prior)], ...], *AS_LIST]
    latent_size: Annotated[tuple[_LatentSize, ...], *AS_LIST]
