"""The weight of the rate during training, so that a young decoder learns to use z first.

With u the share of the warm-up that is done, from 0 to 1, and k the steepness:

    linear     u
    sigmoid    ½ (1 + tanh(k (2u - 1)) / tanh(k))
    cyclical   linear, begun again in every cycle

Bowman et al. 2016, arXiv 1511.06349; cyclical: Fu et al. 2019, arXiv 1903.10145.
"""

import math

from trainables.config import KLAnnealingConfig

SIGMOID_STEEPNESS = 3.0


def kl_weight(config: KLAnnealingConfig, progress: float) -> float:
    """Weight of the rate in the training loss, from 0 to `final_weight`, which it ends with.

    That is 1 unless the config asks for a β-VAE (Higgins et al. 2017). The
    sigmoid is the logistic function, stretched to be exactly 0 at the start and exactly 1 from the
    end of the warm-up on.

    Args:
        config: the shape of the way from 0 to 1.
        progress: share of training done, from 0 to 1.
    """
    return config.final_weight * _share(config, progress)


def _share(config: KLAnnealingConfig, progress: float) -> float:
    match config.kind:
        case "none":
            return 1.0
        case "linear":
            return _warmup_share(progress, config.warmup)
        case "sigmoid":
            return _sigmoid(_warmup_share(progress, config.warmup))
        case "cyclical":
            return _warmup_share(_cycle_share(progress, config.num_cycles), config.warmup)


def _warmup_share(progress: float, warmup: float) -> float:
    return min(1.0, progress / warmup)


def _sigmoid(u: float) -> float:
    return (1 + math.tanh(SIGMOID_STEEPNESS * (2 * u - 1)) / math.tanh(SIGMOID_STEEPNESS)) / 2


def _cycle_share(progress: float, num_cycles: int) -> float:
    # The very end belongs to the last cycle, so that training ends with the whole bound.
    cycles = progress * num_cycles
    return cycles - min(math.floor(cycles), num_cycles - 1)
