"""Encoder, decoder and likelihood as plain values."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat

from trainables.config.base import Frozen, kind_unless_given

_Width = Annotated[int, Field(ge=1, le=1024)]


class GaussianLikelihoodConfig(Frozen):
    """A Gaussian around the decoder's output, on dequantised images in [-1, 1].

    `scale` is its standard deviation, or `learned`: one value for all pixels, never below
    `scale_floor`.
    """

    kind: Literal["gaussian"] = "gaussian"
    scale: PositiveFloat | Literal["learned"] = "learned"
    scale_floor: PositiveFloat = 0.01


class DiagonalLikelihoodConfig(Frozen):
    """A Gaussian whose standard deviation is the decoder's too, for each pixel of each image."""

    kind: Literal["diagonal"] = "diagonal"
    scale_floor: PositiveFloat = 0.01


class LogisticLikelihoodConfig(Frozen):
    """A logistic around the decoder's output, summed over each of 256 levels: a probability.

    One learned scale for all pixels (Kingma et al. 2016, appendix; Salimans et al. 2017).
    """

    kind: Literal["discretized_logistic"] = "discretized_logistic"
    scale_floor: PositiveFloat = 1e-3


class SquaresLikelihoodConfig(Frozen):
    """Σ (x̂ - x)², as the published code has it: a Gaussian of variance ½ without its constant."""

    kind: Literal["sum_of_squares"] = "sum_of_squares"


LikelihoodConfig = Annotated[
    GaussianLikelihoodConfig
    | DiagonalLikelihoodConfig
    | LogisticLikelihoodConfig
    | SquaresLikelihoodConfig,
    Field(discriminator="kind"),
    BeforeValidator(kind_unless_given("gaussian")),
]


class PlainNetworkConfig(Frozen):
    """Stairs of strided convolutions without batch norm, for 8×8 to 64×64.

    `num_channels` at full resolution, doubled at each halving. `latent_widths` lets the encoder's
    first width be latent_size / 4 instead, as in the published code.
    """

    kind: Literal["plain"] = "plain"
    num_channels: _Width = 32
    latent_widths: bool = False


class ReferenceNetworkConfig(Frozen):
    """The widths and activations of the published code, for 32×32 and 64×64.

    With `latent_widths` the encoder's first width is latent_size / 4, so that latent size and
    capacity are confounded; without, it is that of latent size 100, 25.
    """

    kind: Literal["reference"] = "reference"
    latent_widths: bool = True


class DcganNetworkConfig(Frozen):
    """DCGAN's stairs (Radford et al. 2016) for 32×32 and 64×64, the same at every latent size.

    LeakyReLU in the encoder, ReLU in the decoder, batch norm in both; `num_channels` next to the
    image, doubled at each halving.
    """

    kind: Literal["dcgan"] = "dcgan"
    num_channels: _Width = 64


class ResnetNetworkConfig(Frozen):
    """Residual blocks with group norm for 32×32 and 64×64, the same at every latent size.

    `num_channels` at full resolution, doubled at each halving; `num_blocks` at each resolution.
    """

    kind: Literal["resnet"] = "resnet"
    num_channels: _Width = 32
    num_blocks: Annotated[int, Field(ge=1, le=8)] = 1


NetworkConfig = Annotated[
    PlainNetworkConfig | ReferenceNetworkConfig | DcganNetworkConfig | ResnetNetworkConfig,
    Field(discriminator="kind"),
    BeforeValidator(kind_unless_given("plain")),
]
NETWORK_SIZES = {
    "plain": (8, 16, 32, 64),
    "reference": (32, 64),
    "dcgan": (32, 64),
    "resnet": (32, 64),
}
