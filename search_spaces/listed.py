"""Fields that hold several values, each once; a single value may be written alone."""

from typing import TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

Value = TypeVar("Value")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _distinct(values: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"each value may stand once, got {list(values)}")
    return values


AS_LIST = (BeforeValidator(_listed), Field(min_length=1), AfterValidator(_distinct))
