"""What one field of a config may be: an interval, an integer range, a choice."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainables.config import Frozen


class _Interval(Frozen):
    is_logarithmic: ClassVar[bool] = False
    low: float
    high: float

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if not self.low < self.high or (self.is_logarithmic and self.low <= 0):
            rule = "0 < low < high" if self.is_logarithmic else "low < high"
            raise ValueError(
                f"{type(self).__name__} needs {rule}, got low={self.low}, high={self.high}"
            )
        return self

    @property
    def examples(self) -> tuple[float, ...]:
        """Both ends, and what lies between: a number that is not whole, if there may be one."""
        return self.low, self.high, self.low + 0.381966 * (self.high - self.low)


class _WholeInterval(_Interval):
    low: int
    high: int

    @property
    def examples(self) -> tuple[int, ...]:
        """Both ends, and the neighbour of one: odd and even."""
        return self.low, self.high, self.low + 1


class Uniform(_Interval):
    """A real number between low and high."""

    kind: Literal["uniform"]


class LogUniform(_Interval):
    """A real number between low and high, uniform in its logarithm."""

    is_logarithmic = True
    kind: Literal["log_uniform"]


class IntUniform(_WholeInterval):
    """A whole number between low and high, both included."""

    kind: Literal["int_uniform"]


class LogIntUniform(_WholeInterval):
    """A whole number between low and high, both included, uniform in its logarithm."""

    is_logarithmic = True
    kind: Literal["log_int_uniform"]


class Choice(Frozen):
    """One of the values listed."""

    kind: Literal["choice"]
    values: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1)]

    @property
    def examples(self) -> tuple[bool | int | float | str, ...]:
        """All of them."""
        return self.values

    @model_validator(mode="after")
    def _all_different(self) -> Self:
        if len({repr(value) for value in self.values}) < len(self.values):
            raise ValueError(f"Choice needs values that differ, got {list(self.values)}")
        return self


Domain = Annotated[
    Uniform | LogUniform | IntUniform | LogIntUniform | Choice, Field(discriminator="kind")
]
