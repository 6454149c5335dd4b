"""What moves the weights: Adam, its learning rate, and the average of the weights' path."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.config import TrialConfig
from trainables.training.learning_rate import LearningRate


class Optimization:
    """One model's optimizer with all its state.

    Attributes:
        model: what is trained.
        average: its exponential moving average, where the config asks for one.
    """

    def __init__(self, config: TrialConfig, model: nn.Module) -> None:
        """Begins at the config's learning rate; the average begins with the first step."""
        self._config, self.model = config.optimizer, model
        self._adam = torch.optim.Adam(
            model.parameters(), lr=self._config.learning_rate, fused=True
        )
        self._learning_rate = LearningRate(self._config.schedule, config.max_epochs)
        decay = self._config.ema_decay
        self.average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
        )

    @property
    def evaluated_model(self) -> nn.Module:
        """The model whose numbers count: the average, once there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        """The learning rate now."""
        return self._config.learning_rate * self._learning_rate.factor

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        if self._config.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._config.gradient_clip)
        self._adam.step()
        if self.average is not None:
            self._follow(self.average)

    def end_epoch(self, *, train_loss: float, validation_loss: float) -> None:
        """Lets the learning rate fall if it is time; nats per image, lower is better."""
        self._learning_rate.end_epoch(train_loss=train_loss, validation_loss=validation_loss)
        self._set_learning_rate()

    def state(self) -> dict[str, Any]:
        """What `restore` needs beside the model's weights: tensors and plain numbers."""
        average = self.average.state_dict() if self.average is not None else None
        return {
            "optimizer": self._adam.state_dict(),
            "learning_rate": self._learning_rate.state(),
            "average": average,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken."""
        self._adam.load_state_dict(state["optimizer"])
        self._learning_rate.restore(state["learning_rate"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self._set_learning_rate()

    def _follow(self, average: AveragedModel) -> None:
        """Moves the average; the statistics of its norms move with its weights, not at once."""
        decay = self._config.ema_decay if average.n_averaged > 0 else 0.0
        assert decay is not None
        before = [value.clone() for value in _statistics(average)]
        average.update_parameters(self.model)
        for now, value in zip(_statistics(average), before, strict=True):
            now.lerp_(value, decay)

    def _set_learning_rate(self) -> None:
        for group in self._adam.param_groups:
            group["lr"] = self.learning_rate


def _statistics(model: nn.Module) -> list[Tensor]:
    """The running means and variances of batch norms."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    values = [value for norm in norms for value in (norm.running_mean, norm.running_var)]
    return [value for value in values if value is not None]
