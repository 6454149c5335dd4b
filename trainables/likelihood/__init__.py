"""The likelihood p(x|z): what the decoder's output means for images. One file for each kind."""

from collections.abc import Callable

from torch import nn

from trainables.config import (
    DiagonalLikelihoodConfig,
    GaussianLikelihoodConfig,
    ImageFormat,
    LikelihoodConfig,
    LogisticLikelihoodConfig,
    SquaresLikelihoodConfig,
)
from trainables.likelihood.bits import bits_per_dim
from trainables.likelihood.diagonal import DiagonalLikelihood
from trainables.likelihood.gaussian import GaussianLikelihood
from trainables.likelihood.likelihood import Likelihood, PixelModel
from trainables.likelihood.logistic import DiscretizedLogistic, LogisticLikelihood
from trainables.likelihood.scale import INITIAL_SCALE, LearnedScale
from trainables.likelihood.squares import SquaresLikelihood

__all__ = [
    "INITIAL_SCALE",
    "DiagonalLikelihood",
    "DiscretizedLogistic",
    "GaussianLikelihood",
    "LearnedScale",
    "Likelihood",
    "LogisticLikelihood",
    "PixelModel",
    "SquaresLikelihood",
    "bits_per_dim",
    "build_likelihood",
]


def build_likelihood(
    config: LikelihoodConfig, image: ImageFormat, decoder_of: Callable[[int], nn.Module]
) -> Likelihood:
    """The likelihood that a config describes.

    Args:
        config: its kind, and where its scale comes from.
        image: what the images look like.
        decoder_of: a decoder from z to so many unbounded values at each pixel.
    """
    match config:
        case GaussianLikelihoodConfig():
            return GaussianLikelihood(config, decoder_of(image.channels))
        case DiagonalLikelihoodConfig():
            return DiagonalLikelihood(config, decoder_of(2 * image.channels))
        case LogisticLikelihoodConfig():
            return LogisticLikelihood(config, decoder_of(image.channels), image.num_levels)
        case SquaresLikelihoodConfig():
            return SquaresLikelihood(decoder_of(image.channels))
