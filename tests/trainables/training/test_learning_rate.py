"""How the learning rate falls, beside torch's own schedules where those are right."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from trainables.config import LearningRateScheduleConfig
from trainables.training.learning_rate import LearningRate

PLATEAU = LearningRateScheduleConfig(kind="plateau", patience=2, threshold=0.1, factor=0.5)
POSITIVE = [100.0, 80.0, 79.0, 78.0, 77.0, 60.0, 59.0, 59.0, 59.0, 59.0, 59.0, 59.0, 59.0, 10.0]


def factors(config: LearningRateScheduleConfig, losses: list[float]) -> list[float]:
    rate = LearningRate(config, max_epochs=len(losses))
    found = []
    for loss in losses:
        rate.end_epoch(train_loss=loss, validation_loss=loss)
        found.append(rate.factor)
    return found


def adam() -> torch.optim.Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_without_a_schedule_nothing_falls() -> None:
    assert factors(LearningRateScheduleConfig(), POSITIVE) == [1.0] * len(POSITIVE)


def test_a_plateau_is_that_of_torch_while_losses_are_positive() -> None:
    optimizer = adam()
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0.1)
    expected = []
    for loss in POSITIVE:
        scheduler.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert factors(PLATEAU, POSITIVE) == expected
    assert expected[-1] < 0.5


def test_a_loss_below_zero_that_gets_worse_is_a_plateau() -> None:
    assert factors(PLATEAU, [-10.0, -9.0, -8.5, -8.0])[-1] == 0.5


def test_a_loss_below_zero_that_falls_is_none() -> None:
    assert factors(PLATEAU, [-10.0, -12.0, -14.0, -17.0, -20.0, -25.0])[-1] == 1.0


def test_a_cosine_is_that_of_torch_and_ends_at_zero() -> None:
    optimizer = adam()
    scheduler = CosineAnnealingLR(optimizer, len(POSITIVE))
    expected = []
    for _ in POSITIVE:
        optimizer.step()
        scheduler.step()
        expected.append(optimizer.param_groups[0]["lr"])
    found = factors(LearningRateScheduleConfig(kind="cosine"), POSITIVE)
    assert found == pytest.approx(expected)
    assert found[-1] == pytest.approx(0)


@pytest.mark.parametrize(("watch", "expected"), [("train", 0.5), ("validation", 1.0)])
def test_the_loss_that_is_watched_counts(watch: str, expected: float) -> None:
    config = PLATEAU.model_copy(update={"watch": watch})
    rate = LearningRate(config, max_epochs=10)
    for epoch in range(4):
        rate.end_epoch(train_loss=5.0, validation_loss=5.0 * 0.5**epoch)
    assert rate.factor == expected


def test_it_goes_on_where_it_was() -> None:
    whole, first = LearningRate(PLATEAU, 14), LearningRate(PLATEAU, 14)
    for loss in POSITIVE:
        whole.end_epoch(train_loss=loss, validation_loss=loss)
    for loss in POSITIVE[:4]:
        first.end_epoch(train_loss=loss, validation_loss=loss)
    second = LearningRate(PLATEAU, 14)
    second.restore(first.state())
    for loss in POSITIVE[4:]:
        second.end_epoch(train_loss=loss, validation_loss=loss)
    assert second == whole
