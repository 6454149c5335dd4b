"""What moves the weights, beside formulas."""

import copy

import pytest
import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.training.optimization import Optimization


def optimization(model: nn.Module, **fields: object) -> Optimization:
    config = TrialConfig.model_validate({
        "data": {"dataset": "digits"}, "latent_size": 2, "prior": {"kind": "gaussian"},
        "max_epochs": 4, "optimizer": {"learning_rate": 0.1, **fields},
    })  # fmt: skip
    return Optimization(config, model)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def step(moved: Optimization) -> None:
    moved.step(moved.model(torch.randn(8, 1, 5, 5)).square().sum())


def test_the_average_is_that_of_the_weights_path_and_of_its_statistics() -> None:
    moved = optimization(network(), ema_decay=0.7)
    expected = None
    for _ in range(5):
        step(moved)
        now = {
            k: v.detach().clone() for k, v in moved.model.state_dict().items() if "num" not in k
        }
        if expected is None:
            expected = now
        expected = {name: 0.7 * expected[name] + 0.3 * now[name] for name in now}
    found = moved.evaluated_model.state_dict()
    assert expected is not None
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
        assert not torch.equal(found[name], moved.model.state_dict()[name])


def test_without_an_average_the_model_itself_is_evaluated() -> None:
    moved = optimization(network())
    assert moved.evaluated_model is moved.model


@pytest.mark.parametrize("clip", [1e-3, 0.25])
def test_a_clipped_gradient_has_the_norm_that_it_is_clipped_at(clip: float) -> None:
    model = network()
    step(optimization(model, gradient_clip=clip))
    norms = [parameter.grad.norm() for parameter in model.parameters()]
    torch.testing.assert_close(torch.stack(norms).norm().item(), clip, rtol=1e-3, atol=0)


def test_the_learning_rate_reaches_the_optimizer_and_survives_a_break() -> None:
    moved = optimization(network(), schedule={"kind": "cosine"})
    step(moved)
    moved.end_epoch(train_loss=1.0, validation_loss=1.0)
    assert moved.learning_rate == pytest.approx(0.1 * (1 + 2**-0.5) / 2)
    other = optimization(network(), schedule={"kind": "cosine"})
    other.model.load_state_dict(moved.model.state_dict())
    other.restore(copy.deepcopy(moved.state()))
    for each in (moved, other):
        torch.manual_seed(1)
        step(each)
    for name, value in moved.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])
