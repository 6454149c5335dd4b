"""What a study is to confirm or refute, written down before it runs.

Every claim is about test FIDs of the table, lower is better; how each is judged stands in
`study.report.claim`.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from search_spaces.stratum import known_prior
from trainables.config import Frozen, Slug

PriorName = Annotated[str, AfterValidator(known_prior)]


class _Claim(Frozen):
    name: Slug
    text: str = ""
    dataset: Slug


class OrderClaim(_Claim):
    """The priors as listed, best first, at every latent size."""

    kind: Literal["order"]
    priors: Annotated[tuple[PriorName, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.priors)) < len(self.priors):
            raise ValueError(f"an order names each prior once, got {', '.join(self.priors)}")
        return self


class EquivalenceClaim(_Claim):
    """No two priors differ by more than `bound`, at any latent size."""

    kind: Literal["equivalent"]
    bound: PositiveFloat


class NonMonotoneClaim(_Claim):
    """A prior's FID both falls and rises as the latent size grows."""

    kind: Literal["not_monotone"]
    prior: PriorName


class BestClaim(_Claim):
    """The best cell of the data set, over all latent sizes, is this prior's."""

    kind: Literal["best"]
    prior: PriorName


Claim = Annotated[
    OrderClaim | EquivalenceClaim | NonMonotoneClaim | BestClaim, Field(discriminator="kind")
]
