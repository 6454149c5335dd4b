"""How the learning rate falls, as a factor on the one that the config names.

    none      1
    cosine    ½ (1 + cos(π e / E))        e epochs of E are done (Loshchilov & Hutter 2017)
    plateau   factor^k                    k: how often the watched loss stood still

A loss stands still when for more than `patience` epochs it was not below best - threshold |best|.
Our own rule of a plateau, because torch's multiplies the best by 1 - threshold, and so takes a
worse loss for a better one wherever losses are negative, as those of densities may be.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from trainables.config import LearningRateScheduleConfig


@dataclass(slots=True)
class LearningRate:
    """The factor on the learning rate, told the losses after every epoch.

    Attributes:
        config: how it falls.
        max_epochs: E above.
        epoch: e above.
        factor: what the learning rate is multiplied with now.
        best: the lowest loss watched so far.
        num_bad_epochs: epochs since it was found, or since the last fall.
    """

    config: LearningRateScheduleConfig
    max_epochs: int
    epoch: int = 0
    factor: float = 1.0
    best: float = math.inf
    num_bad_epochs: int = 0

    def end_epoch(self, *, train_loss: float, validation_loss: float) -> None:
        """Takes the losses of the epoch that ended; nats per image, lower is better."""
        self.epoch += 1
        match self.config.kind:
            case "cosine":
                self.factor = (1 + math.cos(math.pi * self.epoch / self.max_epochs)) / 2
            case "plateau":
                self._watch(train_loss if self.config.watch == "train" else validation_loss)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain numbers."""
        values = asdict(self)
        return {name: values[name] for name in ("epoch", "factor", "best", "num_bad_epochs")}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken."""
        for name, value in state.items():
            setattr(self, name, value)

    def _watch(self, loss: float) -> None:
        is_better = math.isinf(self.best) or (
            loss < self.best - self.config.threshold * abs(self.best)
        )
        if is_better:
            self.best, self.num_bad_epochs = loss, 0
            return
        self.num_bad_epochs += 1
        if self.num_bad_epochs > self.config.patience:
            self.factor *= self.config.factor
            self.num_bad_epochs = 0
