"""Random horizontal flips of a batch, where it lies."""

import torch
from jaxtyping import UInt8
from torch import Tensor


def randomly_flipped(
    images: UInt8[Tensor, "batch channels height width"],
) -> UInt8[Tensor, "batch channels height width"]:
    """Each image mirrored left to right with probability ½, from torch's global stream."""
    is_flipped = torch.rand(len(images), device=images.device) < 0.5
    return torch.where(is_flipped[:, None, None, None], images.flip(-1), images)
