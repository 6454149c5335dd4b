"""A measurement is complete and finite, or it does not exist."""

import dataclasses
import json
import math

import pytest

from trainables.measurement import DivergenceError, Measurement

EPOCH = Measurement(
    epoch=3, rate=20.0, distortion=-1.5, elbo=-18.5, bits_per_dim=2.0, train_rate=21.0,
    train_distortion=-1.0, kl_weight=0.5, seconds=0.25, val_fid=12.5, best_epoch=2,
)  # fmt: skip
NUMBERS = [field.name for field in dataclasses.fields(Measurement) if "epoch" not in field.name]


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_does_not_travel(field: str, value: float) -> None:
    with pytest.raises(DivergenceError, match=f"{field} is .* in epoch 3"):
        Measurement.from_dict(EPOCH.as_dict() | {field: value})


def test_a_measurement_survives_json() -> None:
    text = json.dumps(EPOCH.as_dict(), allow_nan=False)
    assert Measurement.from_dict(json.loads(text)) == EPOCH


def test_an_epoch_without_a_fid_says_nothing_about_it() -> None:
    without = dataclasses.replace(EPOCH, val_fid=None, best_epoch=None)
    assert without.as_dict().keys() == EPOCH.as_dict().keys() - {"val_fid", "best_epoch"}
    assert Measurement.from_dict(without.as_dict()) == without


def test_an_incomplete_measurement_does_not_exist() -> None:
    values = EPOCH.as_dict()
    del values["rate"]
    with pytest.raises(TypeError, match="rate"):
        Measurement.from_dict(values)


def test_a_measurement_never_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EPOCH.rate = 0.0  # type: ignore[misc]
