"""The networks of a VAE: an encoder from images to q(z|x), a decoder from z to raw images.

    encoder(x) = (loc, scale) of q(z|x)
    decoder(z) = raw values in the shape of images; the likelihood says what they mean

One backbone a file: `plain`, `reference`, `dcgan`, `resnet`.
"""

from torch import nn

from trainables.config import (
    DcganNetworkConfig,
    ImageFormat,
    NetworkConfig,
    PlainNetworkConfig,
    ReferenceNetworkConfig,
    ResnetNetworkConfig,
)
from trainables.config.model import NETWORK_SIZES
from trainables.networks.dcgan import dcgan_decoder, dcgan_features
from trainables.networks.decoder import Decoder
from trainables.networks.encoder import Encoder
from trainables.networks.plain import plain_decoder, plain_features
from trainables.networks.reference import reference_decoder, reference_features
from trainables.networks.resnet import resnet_decoder, resnet_features

__all__ = ["Decoder", "Encoder", "build_decoder", "build_encoder", "num_parameters"]


def build_encoder(
    config: NetworkConfig,
    image: ImageFormat,
    latent_size: int,
    *,
    has_exponential_scale: bool = False,
) -> Encoder:
    """The encoder that the config describes.

    Args:
        config: its kind and its widths.
        image: what it sees; the size is one that the kind takes.
        latent_size: number of dimensions of z.
        has_exponential_scale: see `Encoder`.
    """
    assert image.size in NETWORK_SIZES[config.kind]
    match config:
        case PlainNetworkConfig():
            features = plain_features(config, image, latent_size)
        case ReferenceNetworkConfig():
            features = reference_features(config, image, latent_size)
        case DcganNetworkConfig():
            features = dcgan_features(config, image)
        case ResnetNetworkConfig():
            features = resnet_features(config, image)
    return Encoder(*features, latent_size, has_exponential_scale=has_exponential_scale)


def build_decoder(
    config: NetworkConfig, image: ImageFormat, latent_size: int, num_outputs: int
) -> Decoder:
    """The decoder that the config describes.

    Args:
        config: its kind and its widths.
        image: what it draws; the size is one that the kind takes.
        latent_size: number of dimensions of z.
        num_outputs: channels of its output.
    """
    assert image.size in NETWORK_SIZES[config.kind]
    match config:
        case PlainNetworkConfig():
            layers = plain_decoder(config, image, latent_size, num_outputs)
        case ReferenceNetworkConfig():
            layers = reference_decoder(image, latent_size, num_outputs)
        case DcganNetworkConfig():
            layers = dcgan_decoder(config, image, latent_size, num_outputs)
        case ResnetNetworkConfig():
            layers = resnet_decoder(config, image, latent_size, num_outputs)
    return Decoder(layers)


def num_parameters(module: nn.Module) -> int:
    """How many numbers training moves."""
    return sum(parameter.numel() for parameter in module.parameters())
