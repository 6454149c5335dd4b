"""What a study is to confirm or refute, written down before it runs.

Every claim is about test FIDs of the table, lower is better; how each is judged stands in
`study.tables.claim`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, StringConstraints, model_validator

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
    """No two priors differ by more than `bound`, at any latent size.

    `reason` says why a difference below the bound does not matter: data cannot tell that. Spaces
    of revision 1 may lack it.
    """

    kind: Literal["equivalent"]
    bound: PositiveFloat
    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = ""


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


def without_reasons(values: dict[str, Any]) -> dict[str, Any]:
    """A space's plain values as before there were reasons, so that it can go on such a study."""
    claims = values.get("claims")
    if not isinstance(claims, list | tuple):
        return values
    kept = [
        {name: value for name, value in claim.items() if name != "reason"}
        if isinstance(claim, dict)
        else claim
        for claim in claims
    ]
    return values | {"claims": kept}
