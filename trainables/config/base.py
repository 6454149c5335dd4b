"""What all configs share: immutable plain values, checked where they enter."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Base of all configs: immutable, finite numbers only, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def kind_unless_given(kind: str) -> Callable[[object], object]:
    """A validator that puts a default `kind` into a group of fields that names none."""

    def with_kind(values: object) -> object:
        return {"kind": kind, **values} if isinstance(values, dict) else values

    return with_kind
