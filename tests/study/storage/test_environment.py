from dataclasses import replace

import pytest

from study.storage.environment import Environment, current_environment


@pytest.fixture(scope="module")
def here() -> Environment:
    return current_environment(2)


def test_an_environment_survives_its_plain_values(here: Environment) -> None:
    assert Environment.from_dict(here.as_dict()) == here
    assert here.first_difference(here) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("cpu_model", "another"), ("num_threads", 9), ("device", "gpu"), ("python", "2.7")],
)
def test_what_differs_is_named_with_both_values(
    here: Environment, field: str, value: object
) -> None:
    other = replace(here, **{field: value})
    assert here.first_difference(other) == f"{field}: {getattr(here, field)} against {value}"


def test_another_version_is_named_before_another_commit(here: Environment) -> None:
    packages = here.packages | {"torch": "0.1"}
    other = replace(here, packages=packages, commit="other")
    assert here.first_difference(other) == f"torch: {here.packages['torch']} against 0.1"
