"""A domain is an interval or a choice that makes sense, or it is refused."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from search_spaces import Choice, Domain, IntUniform, LogUniform, Uniform

PARSE: TypeAdapter[Any] = TypeAdapter(Domain)
INTERVALS = ["uniform", "log_uniform", "int_uniform", "log_int_uniform"]


@pytest.mark.parametrize("kind", INTERVALS)
def test_an_interval_keeps_its_ends(kind: str) -> None:
    domain = PARSE.validate_python({"kind": kind, "low": 1, "high": 8})
    assert (domain.low, domain.high) == (1, 8)


@pytest.mark.parametrize("kind", INTERVALS)
@pytest.mark.parametrize(("low", "high"), [(8, 1), (3, 3)])
def test_an_interval_that_is_empty_or_reversed_is_refused(kind: str, low: int, high: int) -> None:
    with pytest.raises(ValidationError, match=f"low < high, got low={low}.*, high={high}"):
        PARSE.validate_python({"kind": kind, "low": low, "high": high})


@pytest.mark.parametrize("kind", ["log_uniform", "log_int_uniform"])
@pytest.mark.parametrize("low", [0, -1])
def test_a_logarithmic_interval_begins_above_zero(kind: str, low: int) -> None:
    with pytest.raises(ValidationError, match="needs 0 < low < high"):
        PARSE.validate_python({"kind": kind, "low": low, "high": 8})


def test_a_plain_interval_may_begin_below_zero() -> None:
    assert Uniform(kind="uniform", low=-1, high=1).low == -1


def test_whole_intervals_hold_whole_numbers() -> None:
    assert all(isinstance(v, int) for v in IntUniform(kind="int_uniform", low=2, high=5).examples)


def test_examples_lie_in_their_interval_and_hold_both_ends() -> None:
    domain = LogUniform(kind="log_uniform", low=1e-4, high=1e-2)
    assert {domain.low, domain.high} < set(domain.examples)
    assert all(domain.low <= value <= domain.high for value in domain.examples)


@pytest.mark.parametrize("values", [[], [1, 1], ["linear", "cosine", "linear"]])
def test_a_choice_needs_values_that_differ(values: list[object]) -> None:
    with pytest.raises(ValidationError):
        PARSE.validate_python({"kind": "choice", "values": values})


def test_a_choice_keeps_the_types_of_its_values() -> None:
    values = (True, 2, 0.5, "learned")
    assert list(map(repr, Choice(kind="choice", values=values).values)) == list(map(repr, values))


def test_a_domain_never_changes() -> None:
    domain: Any = Uniform(kind="uniform", low=0, high=1)
    with pytest.raises(ValidationError, match="frozen"):
        domain.low = 0.5
