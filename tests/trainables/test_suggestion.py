"""A suggestion names its trial and its folder, through every door it goes."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from trainables.suggestion import Suggestion

VALUES: dict[str, Any] = {
    "phase": "search",
    "stratum": "digits/flow/8",
    "number": 3,
    "attempt": 2,
    "config": {
        "data": {"dataset": "digits"}, "latent_size": 8, "prior": {"kind": "flow"},
        "max_epochs": 4, "seed": 99,
    },
}  # fmt: skip


def suggestion(**changes: object) -> Suggestion:
    return Suggestion.model_validate(VALUES | changes)


def test_a_suggestion_survives_the_way_to_its_worker() -> None:
    assert Suggestion.model_validate(suggestion().model_dump(mode="json")) == suggestion()


def test_a_trial_has_one_folder_whatever_its_attempt() -> None:
    assert suggestion().trial_path == Path("trials/search/digits/flow/8/3")
    assert suggestion(attempt=7).trial_path == suggestion().trial_path


def test_a_test_looks_into_the_folder_of_its_confirm_trial() -> None:
    assert suggestion(phase="test").trial_path == suggestion(phase="confirm").trial_path


def test_the_key_tells_trials_apart() -> None:
    others = [suggestion(number=4), suggestion(phase="confirm"), suggestion(stratum="a/flow/8")]
    assert suggestion().key == "search/digits/flow/8/3"
    assert len({suggestion().key, *(other.key for other in others)}) == 4


def test_the_seed_is_that_of_the_config() -> None:
    assert suggestion().seed == 99


@pytest.mark.parametrize("change", [{"phase": "train"}, {"number": -1}, {"attempt": -1},
                                    {"config": {}}, {"extra": 1}])  # fmt: skip
def test_what_is_no_suggestion_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        suggestion(**change)
