"""One pass over the training images: how far it is, so that it can be broken off and taken up."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


@dataclass(slots=True, eq=False)
class ImagePass:
    """The epoch under way.

    Attributes:
        order: the images in the order of training.
        step: number of batches done.
        totals: sums of rate and distortion over the images seen, in nats.
        random_states: of the generators, before the next batch; None before the first.
    """

    order: Int64[Tensor, " images"]
    totals: Float64[Tensor, "2"]
    step: int = 0
    random_states: dict[str, Tensor] | None = None

    @classmethod
    def begin(cls, num_images: int, device: torch.device) -> "ImagePass":
        """A new pass; its order is the first thing drawn from the epoch's stream."""
        order = torch.randperm(num_images, device=device)
        return cls(order, torch.zeros(2, dtype=torch.float64, device=device))

    def take_up(self) -> None:
        """Sets the generators to where the pass was broken off."""
        assert self.random_states is not None
        torch.set_rng_state(self.random_states["cpu"])
        if "cuda" in self.random_states:
            torch.cuda.set_rng_state(self.random_states["cuda"], self.order.device)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, the generators as they are now."""
        random_states = {"cpu": torch.get_rng_state()}
        if self.order.is_cuda:
            random_states["cuda"] = torch.cuda.get_rng_state(self.order.device)
        return {
            "order": self.order,
            "totals": self.totals,
            "step": self.step,
            "random_states": random_states,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], device: torch.device) -> "ImagePass":
        """The pass that `state` told of, on a device; generators' states live on the CPU."""
        random_states = {name: value.cpu() for name, value in state["random_states"].items()}
        return cls(
            state["order"].to(device), state["totals"].to(device), state["step"], random_states
        )
