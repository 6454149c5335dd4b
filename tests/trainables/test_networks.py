import pytest
import torch

from trainables.config import ImageFormat, NetworkConfig
from trainables.error import InputError
from trainables.networks import Decoder, Encoder, channel_widths

FORMATS = [
    ImageFormat(channels=1, size=8),
    ImageFormat(channels=3, size=16),
    ImageFormat(channels=3, size=32),
    ImageFormat(channels=3, size=64),
]
CONFIG = NetworkConfig(num_channels=4)


@pytest.fixture(params=FORMATS, ids=lambda image: f"{image.size}x{image.size}")
def image(request: pytest.FixtureRequest) -> ImageFormat:
    torch.manual_seed(0)
    return request.param


def images(image: ImageFormat, num_images: int = 5) -> torch.Tensor:
    return torch.rand(num_images, image.channels, image.size, image.size) * 2 - 1


def test_the_decoder_gives_images_of_the_encoders_shape(image: ImageFormat) -> None:
    loc, scale = Encoder(CONFIG, image, 6)(images(image))
    assert loc.shape == scale.shape == (5, 6)
    assert Decoder(CONFIG, image, 6)(loc).shape == images(image).shape


def test_means_stay_in_the_range_of_images(image: ImageFormat) -> None:
    assert Decoder(CONFIG, image, 6)(100 * torch.randn(5, 6)).abs().max() <= 1


def test_the_posterior_begins_a_bit_narrower_than_the_prior(image: ImageFormat) -> None:
    loc, scale = Encoder(CONFIG, image, 6)(images(image))
    assert loc.abs().max() < 5
    assert 0.2 < scale.median() < 1.2


def test_scales_are_positive_for_absurd_images(image: ImageFormat) -> None:
    _, scale = Encoder(CONFIG, image, 6)(1e4 * images(image))
    assert torch.all(scale > 0)
    assert torch.isfinite(scale.log()).all()


def test_every_image_is_on_its_own(image: ImageFormat) -> None:
    encoder, x = Encoder(CONFIG, image, 6), images(image)
    torch.testing.assert_close(encoder(x)[0][:2], encoder(x[:2])[0], atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_bits(image: ImageFormat) -> None:
    def gradients() -> list[torch.Tensor]:
        torch.manual_seed(3)
        encoder, decoder = Encoder(CONFIG, image, 6), Decoder(CONFIG, image, 6)
        loc, scale = encoder(images(image))
        (decoder(loc + scale).square().sum()).backward()
        return [p.grad for net in (encoder, decoder) for p in net.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(gradients(), gradients(), strict=True))


def test_the_width_doubles_at_each_halving_up_to_a_cap() -> None:
    assert channel_widths(NetworkConfig(num_channels=32), FORMATS[2]) == [32, 64, 128, 256]
    assert channel_widths(NetworkConfig(num_channels=128), FORMATS[2]) == [128, 256, 512, 512]
    assert channel_widths(NetworkConfig(num_channels=1024), FORMATS[0]) == [1024, 1024]


@pytest.mark.parametrize("network", [Encoder, Decoder])
@pytest.mark.parametrize("size", [4, 12, 28, 128])
def test_a_size_without_a_network_is_refused_in_one_sentence(
    network: type[Encoder | Decoder], size: int
) -> None:
    with pytest.raises(InputError, match=f"size 8, 16, 32 or 64, got {size}"):
        network(CONFIG, ImageFormat(channels=1, size=size), 6)
