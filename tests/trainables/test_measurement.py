"""A measurement is complete and finite, or it does not exist."""

import dataclasses
import json
import math

import pytest

from trainables.measurement import Collapse, DivergenceError, Measurement

EPOCH = Measurement(
    epoch=3, rate=20.0, distortion=-1.5, elbo=-18.5, bits_per_dim=2.0, train_rate=21.0,
    train_distortion=-1.0, kl_weight=0.5, seconds=0.25, standard_error=0.3, rate_noise=0.1,
    rate_parts={"L_T": 1.0, "L_0": 19.0}, learning_rate=1e-3, val_fid=12.5, best_epoch=2,
    collapse=Collapse(3, 4.5, 5.0, True, 2.5, (1.0, 19.0)),
)  # fmt: skip
OTHERS = ("epoch", "best_epoch", "rate_parts", "collapse")
NUMBERS = [field.name for field in dataclasses.fields(Measurement) if field.name not in OTHERS]


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


def test_a_part_that_is_not_finite_does_not_travel() -> None:
    with pytest.raises(DivergenceError, match="rate_L_0 is inf in epoch 3"):
        dataclasses.replace(EPOCH, rate_parts={"L_0": math.inf})
    with pytest.raises(DivergenceError, match="rate_by_dimension_1 is nan in epoch 3"):
        dataclasses.replace(
            EPOCH, collapse=dataclasses.replace(EPOCH.collapse, rate_by_dimension=(0.0, math.nan))
        )


def test_every_number_has_a_name_of_its_own() -> None:
    scalars = EPOCH.scalars()
    assert scalars["rate_L_T"] == 1.0
    assert scalars["mutual_information"] == 4.5
    assert scalars["rate_by_dimension_1"] == 19.0
    assert scalars["rate"] == 20.0


def test_without_a_bound_there_is_a_loss() -> None:
    published = dataclasses.replace(EPOCH, elbo=None, bits_per_dim=None)
    assert published.loss == 18.5
    assert Measurement.from_dict(published.as_dict()) == published


def test_what_it_took_of_the_machine_travels_and_is_no_part_of_equality() -> None:
    used = dataclasses.replace(EPOCH, cpu_percent=180.0, memory_megabytes=512.0)
    assert used == EPOCH
    back = Measurement.from_dict(used.as_dict())
    assert (back.cpu_percent, back.memory_megabytes) == (180.0, 512.0)
