"""Every backbone at every size that it takes."""

from collections import Counter

import pytest
import torch
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
from trainables.networks import build_decoder, build_encoder, num_parameters
from trainables.networks.resnet import ResidualBlock
from trainables.networks.stairs import doubled_widths

CONFIGS: list[NetworkConfig] = [
    PlainNetworkConfig(num_channels=4),
    PlainNetworkConfig(num_channels=4, latent_widths=True),
    ReferenceNetworkConfig(),
    ReferenceNetworkConfig(latent_widths=False),
    DcganNetworkConfig(num_channels=4),
    ResnetNetworkConfig(num_channels=4),
    ResnetNetworkConfig(num_channels=6, num_blocks=2),
]
CASES = [(config, size) for config in CONFIGS for size in NETWORK_SIZES[config.kind]]
LATENT = 6


def name(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    widths = "-latent-widths" if getattr(value, "latent_widths", False) else ""
    return f"{getattr(value, 'kind', value)}{widths}"


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(name, case)))
def case(request: pytest.FixtureRequest) -> tuple[NetworkConfig, ImageFormat]:
    config, size = request.param
    torch.manual_seed(0)
    return config, ImageFormat(channels=3, size=size)


def images(image: ImageFormat, num_images: int = 3) -> torch.Tensor:
    return torch.rand(num_images, image.channels, image.size, image.size) * 2 - 1


def both(case: tuple[NetworkConfig, ImageFormat]) -> tuple[nn.Module, nn.Module]:
    return build_encoder(*case, LATENT), build_decoder(*case, LATENT, 3)


def test_the_decoder_gives_images_of_the_encoders_shape(
    case: tuple[NetworkConfig, ImageFormat],
) -> None:
    encoder, decoder = both(case)
    loc, scale = encoder(images(case[1]))
    assert loc.shape == scale.shape == (3, LATENT)
    assert decoder(loc).shape == images(case[1]).shape


@pytest.mark.parametrize("config", CONFIGS, ids=name)
@pytest.mark.parametrize("latent", [1, 40, 200])
def test_every_latent_size_has_networks(config: NetworkConfig, latent: int) -> None:
    image = ImageFormat(channels=1, size=32)
    loc, scale = build_encoder(config, image, latent)(images(image, 2))
    assert loc.shape == scale.shape == (2, latent)
    assert build_decoder(config, image, latent, 2)(loc).shape == (2, 2, 32, 32)


@pytest.mark.parametrize("num_outputs", [1, 6])
def test_the_decoder_has_as_many_outputs_as_are_asked_for(num_outputs: int) -> None:
    image = ImageFormat(channels=3, size=32)
    for config in CONFIGS:
        decoder = build_decoder(config, image, LATENT, num_outputs)
        assert decoder(torch.randn(2, LATENT)).shape == (2, num_outputs, 32, 32)


def test_the_posterior_begins_a_bit_narrower_than_the_prior(
    case: tuple[NetworkConfig, ImageFormat],
) -> None:
    loc, scale = both(case)[0](images(case[1], 20))
    assert loc.abs().max() < 6
    assert 0.2 < scale.median() < 1.2


def test_raw_images_do_not_begin_saturated(
    case: tuple[NetworkConfig, ImageFormat],
) -> None:
    raw = both(case)[1](torch.randn(4, LATENT))
    assert 0 < raw.std() < 1.5


def test_a_signal_keeps_its_variance_where_no_norm_holds_it() -> None:
    torch.manual_seed(0)
    decoder = build_decoder(ReferenceNetworkConfig(), ImageFormat(channels=3, size=64), 100, 3)
    h = torch.randn(4, 100)
    for layer in decoder.layers:
        h = layer(h)
        assert 0.8 < h.std() < 1.2


def test_scales_are_positive_for_absurd_images(case: tuple[NetworkConfig, ImageFormat]) -> None:
    _, scale = both(case)[0](1e4 * images(case[1]))
    assert torch.all(scale > 0)
    assert torch.isfinite(scale.log()).all()


def test_evaluation_sees_every_image_on_its_own(case: tuple[NetworkConfig, ImageFormat]) -> None:
    encoder, decoder = (network.eval() for network in both(case))
    x, z = images(case[1]), torch.randn(3, LATENT)
    torch.testing.assert_close(encoder(x)[0][:2], encoder(x[:2])[0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(decoder(z)[:2], decoder(z[:2]), atol=1e-4, rtol=1e-3)


def test_the_same_seed_gives_the_same_bits_and_every_parameter_a_gradient(
    case: tuple[NetworkConfig, ImageFormat],
) -> None:
    def gradients() -> list[torch.Tensor]:
        torch.manual_seed(3)
        encoder, decoder = both(case)
        loc, scale = encoder(images(case[1]))
        decoder(loc + scale).square().sum().backward()
        return [p.grad for net in (encoder, decoder) for p in net.parameters()]

    first, second = gradients(), gradients()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(gradient.abs().sum() > 0 for gradient in first)


def capacity(encoder: nn.Module) -> int:
    return num_parameters(encoder.features)


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_only_widths_that_follow_the_latent_size_make_the_encoder_grow(
    config: NetworkConfig,
) -> None:
    image = ImageFormat(channels=3, size=32)
    counts = [capacity(build_encoder(config, image, latent)) for latent in (40, 100, 200)]
    if getattr(config, "latent_widths", False):
        assert counts[0] < counts[1] < counts[2]
    else:
        assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_a_decoder_grows_by_its_first_layer_alone(config: NetworkConfig) -> None:
    image = ImageFormat(channels=3, size=32)
    shapes = [
        [p.shape for p in build_decoder(config, image, latent, 3).parameters()]
        for latent in (40, 200)
    ]
    (small, *few), (large, *many) = shapes
    assert small.numel() < large.numel()
    assert few == many


def layers_of(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("size", "widths", "num_norms"),
    [(32, [512, 256, 128, 3], 3), (64, [512, 512, 512, 256, 3], 0)],
)
def test_the_reference_decoder_has_the_published_widths(
    size: int, widths: list[int], num_norms: int
) -> None:
    image = ImageFormat(channels=3, size=size)
    decoder = build_decoder(ReferenceNetworkConfig(), image, 100, 3)
    layers = layers_of(decoder, nn.ConvTranspose2d)
    assert [layer.out_channels for layer in layers] == widths
    assert {layer.kernel_size for layer in layers} == {(4, 4)}
    assert len(layers_of(decoder, nn.BatchNorm2d)) == num_norms
    assert all((layer.bias is None) == (size == 32) for layer in layers)


@pytest.mark.parametrize(("latent", "first"), [(40, 10), (100, 25), (200, 50)])
def test_the_reference_encoder_begins_with_a_quarter_of_the_latent_size(
    latent: int, first: int
) -> None:
    image = ImageFormat(channels=3, size=32)
    encoder = build_encoder(ReferenceNetworkConfig(), image, latent)
    widths = [layer.out_channels for layer in layers_of(encoder, nn.Conv2d)]
    assert widths == [first, 2 * first, 4 * first]
    fixed = build_encoder(ReferenceNetworkConfig(latent_widths=False), image, latent)
    assert layers_of(fixed, nn.Conv2d)[0].out_channels == 25


def test_dcgan_has_no_batch_norm_next_to_the_image() -> None:
    config, image = DcganNetworkConfig(num_channels=8), ImageFormat(channels=3, size=64)
    encoder = build_encoder(config, image, LATENT)
    decoder = build_decoder(config, image, LATENT, 3)
    widths = [layer.out_channels for layer in layers_of(encoder, nn.Conv2d)]
    assert widths == [8, 16, 32, 64]
    assert [n.num_features for n in layers_of(encoder, nn.BatchNorm2d)] == widths[1:]
    assert [n.num_features for n in layers_of(decoder, nn.BatchNorm2d)] == widths[::-1]


def test_resnet_has_as_many_blocks_at_each_resolution_as_asked_for() -> None:
    image = ImageFormat(channels=3, size=32)
    for num_blocks in (1, 3):
        config = ResnetNetworkConfig(num_channels=8, num_blocks=num_blocks)
        for network in (build_encoder(config, image, 6), build_decoder(config, image, 6, 3)):
            widths = [b.change[0].num_channels for b in layers_of(network, ResidualBlock)]
            assert Counter(widths) == dict.fromkeys([8, 16, 32, 64], num_blocks)


@pytest.mark.parametrize("size", [8, 12, 128])
def test_a_size_that_the_config_should_have_refused_is_not_built(size: int) -> None:
    image = ImageFormat(channels=3, size=size)
    for build in (build_encoder, lambda *choice: build_decoder(*choice, 3)):
        with pytest.raises(AssertionError):
            build(ReferenceNetworkConfig(), image, LATENT)


def test_the_width_doubles_at_each_halving_up_to_a_cap() -> None:
    assert doubled_widths(32, 3) == [32, 64, 128, 256]
    assert doubled_widths(128, 3) == [128, 256, 512, 512]
    assert doubled_widths(1024, 1) == [1024, 1024]
