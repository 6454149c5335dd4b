import math
from collections.abc import Iterator

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import gaussian_nll_loss

from trainables.config import (
    DataConfig,
    DiagonalLikelihoodConfig,
    GaussianLikelihoodConfig,
    ImageFormat,
    LikelihoodConfig,
    LogisticLikelihoodConfig,
    SquaresLikelihoodConfig,
)
from trainables.level import centre, dequantise
from trainables.likelihood import (
    INITIAL_SCALE,
    DiagonalLikelihood,
    DiscretizedLogistic,
    GaussianLikelihood,
    LearnedScale,
    Likelihood,
    LogisticLikelihood,
    bits_per_dim,
    build_likelihood,
)

IMAGE = ImageFormat(channels=3, size=4)
SHAPE = (3, 4, 4)
LATENT = 5
CONFIGS: list[LikelihoodConfig] = [
    GaussianLikelihoodConfig(),
    GaussianLikelihoodConfig(scale_floor=0.3),
    GaussianLikelihoodConfig(scale=0.7),
    DiagonalLikelihoodConfig(),
    LogisticLikelihoodConfig(),
    SquaresLikelihoodConfig(),
]


def decoder_of(num_outputs: int) -> nn.Module:
    """Values far beyond [-1, 1], as a decoder without an end of its own gives them."""
    linear = nn.Linear(LATENT, num_outputs * 16)
    nn.init.normal_(linear.weight, std=2)
    return nn.Sequential(linear, nn.Unflatten(-1, (num_outputs, 4, 4)))


def build(config: LikelihoodConfig, image: ImageFormat = IMAGE) -> Likelihood:
    torch.manual_seed(0)
    return build_likelihood(config, image, decoder_of)


@pytest.fixture(params=CONFIGS, ids=str)
def likelihood(request: pytest.FixtureRequest) -> Likelihood:
    return build(request.param)


def latents(num: int = 6) -> Tensor:
    return torch.randn(num, LATENT, generator=torch.Generator().manual_seed(1))


def images(num: int = 6) -> Tensor:
    levels = torch.randint(0, 256, (num, *SHAPE), dtype=torch.uint8)
    return dequantise(levels, 256, torch.Generator().manual_seed(2))


def flat_sum(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


def test_the_log_probability_is_one_finite_number_for_each_image(likelihood: Likelihood) -> None:
    log_prob = likelihood(latents()).log_prob(images())
    assert log_prob.shape == (6,)
    assert log_prob.isfinite().all()


def test_the_mean_is_an_image_between_the_ends(likelihood: Likelihood) -> None:
    mean = likelihood.mean(100 * latents())
    assert mean.shape == (6, *SHAPE)
    assert mean.abs().max() <= 1
    assert mean.abs().max() > 0.9


def test_no_image_is_more_probable_than_the_mean(likelihood: Likelihood) -> None:
    z = 0 * latents()  # means in the middle: a discretised logistic likes its open ends best
    mean = likelihood.mean(z)
    p = likelihood(z)
    for step in (-0.3, 0.3):
        assert (p.log_prob(mean) >= p.log_prob(mean + step)).all()


def test_every_parameter_has_a_gradient(likelihood: Likelihood) -> None:
    likelihood(latents()).log_prob(images()).sum().backward()
    for name, parameter in likelihood.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradients_stay_finite_at_the_extremes(likelihood: Likelihood) -> None:
    z = (1e4 * latents()).requires_grad_()
    x = images().sign()
    log_prob = likelihood(z).log_prob(x)
    assert log_prob.isfinite().all()
    log_prob.sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_stored_likelihood_is_the_same_one(config: LikelihoodConfig) -> None:
    one = build(config)
    for parameter in one.parameters():
        nn.init.normal_(parameter, std=0.1)
    torch.manual_seed(7)
    other = build_likelihood(config, IMAGE, decoder_of)
    other.load_state_dict(one.state_dict())
    z, x = latents(), images()
    assert torch.equal(one(z).log_prob(x), other(z).log_prob(x))


@pytest.mark.parametrize("config", CONFIGS[:3], ids=str)
def test_the_gaussian_is_that_of_torch(config: LikelihoodConfig) -> None:
    likelihood = build(config)
    assert isinstance(likelihood, GaussianLikelihood)
    z, x = latents(), images()
    expected = flat_sum(Normal(likelihood.mean(z), likelihood.scale).log_prob(x))
    torch.testing.assert_close(likelihood(z).log_prob(x), expected)
    assert len(likelihood(z).stddev.unique()) == 1


def test_a_fixed_scale_is_no_parameter() -> None:
    likelihood = build(GaussianLikelihoodConfig(scale=0.7))
    assert isinstance(likelihood, GaussianLikelihood)
    assert {name.partition(".")[0] for name, _ in likelihood.named_parameters()} == {"decoder"}
    assert likelihood.scale.item() == pytest.approx(0.7)


def test_the_diagonal_gaussian_is_that_of_torch() -> None:
    likelihood = build(DiagonalLikelihoodConfig())
    z, x = latents(), images()
    p = likelihood(z)
    pixels = gaussian_nll_loss(
        likelihood.mean(z), x, p.variance, full=True, reduction="none", eps=1e-12
    )
    torch.testing.assert_close(p.log_prob(x), -flat_sum(pixels))
    assert len(p.stddev.unique()) > 100


def test_a_diagonal_gaussian_of_equal_scales_is_the_gaussian() -> None:
    class Doubled(nn.Module):
        def __init__(self, decoder: nn.Module) -> None:
            super().__init__()
            self.decoder = decoder

        def forward(self, z: Tensor) -> Tensor:
            mean = self.decoder(z)
            return torch.cat([mean, torch.zeros_like(mean)], 1)

    decoder = decoder_of(3)
    floor, scale = 0.1, INITIAL_SCALE + 0.1
    diagonal = DiagonalLikelihood(DiagonalLikelihoodConfig(scale_floor=floor), Doubled(decoder))
    gaussian = GaussianLikelihood(GaussianLikelihoodConfig(scale=scale), decoder)
    z, x = latents(), images()
    torch.testing.assert_close(diagonal(z).log_prob(x), gaussian(z).log_prob(x))
    torch.testing.assert_close(diagonal.mean(z), gaussian.mean(z))


def test_the_scales_of_a_diagonal_gaussian_stay_above_the_floor_and_finite() -> None:
    class Extremes(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z.reshape(-1, 1, 1, 1).expand(-1, 6, 4, 4)

    likelihood = DiagonalLikelihood(DiagonalLikelihoodConfig(scale_floor=0.02), Extremes())
    scale = likelihood(torch.tensor([[-1e30], [-90.0], [0.0], [90.0], [1e6]])).stddev
    assert scale.min() >= torch.tensor(0.02)
    assert scale.isfinite().all()


def test_the_sum_of_squares_is_a_gaussian_of_variance_one_half_less_its_constant() -> None:
    likelihood = build(SquaresLikelihoodConfig())
    z, x = latents(), images()
    log_prob = flat_sum(Normal(likelihood.mean(z), math.sqrt(0.5)).log_prob(x))
    constant = IMAGE.num_dimensions / 2 * math.log(math.pi)
    torch.testing.assert_close(likelihood(z).log_prob(x), log_prob + constant)


MEANS = [-1.0, -0.999, -0.3, 0.0, 1 / 256, 0.77, 1.0]


def logistics(num_levels: int, dtype: torch.dtype) -> Iterator[DiscretizedLogistic]:
    """Every mean above as a pixel, from the narrowest scale to one far wider than the images."""
    mean = torch.tensor(MEANS, dtype=dtype).reshape(1, 1, 1, -1).expand(num_levels, 1, 1, -1)
    for scale in (1e-3, 5e-3, 0.1, 1.0, 30.0):
        yield DiscretizedLogistic(mean, torch.tensor(scale, dtype=dtype), num_levels)


def every_level(num_levels: int, dtype: torch.dtype) -> Tensor:
    levels = torch.arange(num_levels, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return centre(levels, num_levels).to(dtype).expand(-1, 1, 1, len(MEANS))


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_probabilities_of_all_levels_sum_to_one_at_every_pixel(
    num_levels: int, dtype: torch.dtype
) -> None:
    for p in logistics(num_levels, dtype):
        log_probs = p.log_prob_of_pixels(every_level(num_levels, dtype))
        assert log_probs.isfinite().all()
        assert log_probs.max() <= 0
        tolerance = 1e-10 if dtype == torch.float64 else 2e-4
        torch.testing.assert_close(
            log_probs.exp().sum(0), torch.ones(1, 1, len(MEANS), dtype=dtype),
            rtol=0, atol=tolerance,
        )  # fmt: skip


def test_each_probability_is_the_difference_of_the_logistic_between_the_edges() -> None:
    edges = torch.arange(257, dtype=torch.float64).reshape(-1, 1, 1, 1) / 128 - 1
    edges[0], edges[-1] = -math.inf, math.inf
    for p in logistics(256, torch.float64):
        below = torch.sigmoid((edges - p.mean[:1]) / p.scale)
        expected = below.diff(dim=0)
        found = p.log_prob_of_pixels(every_level(256, torch.float64)).exp()
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-13)


def test_single_precision_agrees_with_double() -> None:
    exact = logistics(256, torch.float64)
    for single, double in zip(logistics(256, torch.float32), exact, strict=True):
        torch.testing.assert_close(
            single.log_prob_of_pixels(every_level(256, torch.float32)).double(),
            double.log_prob_of_pixels(every_level(256, torch.float64)),
            rtol=1e-4,
            atol=1e-3,
        )


def test_dequantised_values_have_the_probability_of_their_level() -> None:
    likelihood = build(LogisticLikelihoodConfig())
    levels = torch.randint(0, 256, (6, *SHAPE), dtype=torch.uint8)
    p = likelihood(latents())
    assert torch.equal(p.log_prob(dequantise(levels, 256)), p.log_prob(centre(levels, 256)))


def test_values_beyond_the_ends_belong_to_the_last_levels() -> None:
    p = build(LogisticLikelihoodConfig())(latents())
    ends = torch.ones(6, *SHAPE)
    for sign in (-1, 1):
        assert torch.equal(p.log_prob(sign * ends), p.log_prob(sign * 2 * ends))


@pytest.mark.parametrize("floor", [1e-3, 0.01, 0.3])
def test_a_learned_scale_begins_at_the_initial_one(floor: float) -> None:
    assert LearnedScale(floor)().item() == pytest.approx(INITIAL_SCALE)


@pytest.mark.parametrize("floor", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("parameter", [-1e9, -1.0, 0.0, 1.0])
def test_a_learned_scale_never_falls_below_its_floor(floor: float, parameter: float) -> None:
    scale = LearnedScale(floor)
    nn.init.constant_(scale.log_excess, parameter)
    assert scale() >= torch.tensor(floor)


@pytest.mark.parametrize(
    "config",
    [GaussianLikelihoodConfig(scale_floor=0.2), LogisticLikelihoodConfig(scale_floor=0.2)],
    ids=str,
)
def test_the_floor_of_the_config_is_that_of_the_likelihood(config: LikelihoodConfig) -> None:
    likelihood = build(config)
    assert isinstance(likelihood, GaussianLikelihood | LogisticLikelihood)
    nn.init.constant_(likelihood.learned_scale.log_excess, -1e9)
    assert likelihood.scale.item() == pytest.approx(0.2)


def test_the_learned_scale_finds_the_error_of_the_decoder() -> None:
    scale = LearnedScale(0.01)
    x = 0.1 * torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(scale.parameters(), lr=5e-4)
    for _ in range(600):
        optimizer.zero_grad()
        (-Normal(torch.zeros(()), scale()).log_prob(x).sum()).backward()
        optimizer.step()
    assert scale().item() == pytest.approx(x.square().mean().sqrt().item(), rel=0.01)


def data(num_levels: int = 256, dequantised: bool = True) -> DataConfig:
    image = ImageFormat(channels=3, size=8, num_levels=num_levels)
    return DataConfig(dataset="made-up", format=image, dequantise=dequantised)


ANY_CONFIG: TypeAdapter[LikelihoodConfig] = TypeAdapter(LikelihoodConfig)


@pytest.mark.parametrize(
    ("kind", "num_levels", "dequantised", "offset"),
    [
        ("gaussian", 256, True, 7),
        ("gaussian", 17, True, math.log2(17 / 2)),
        ("diagonal", 256, True, 7),
        ("discretized_logistic", 256, True, 0),
        ("discretized_logistic", 256, False, 0),
    ],
)
def test_bits_per_dimension_are_those_of_the_bound_and_an_offset(
    kind: str, num_levels: int, dequantised: bool, offset: float
) -> None:
    config = ANY_CONFIG.validate_python({"kind": kind})
    nats = 2 * 192 * math.log(2)
    found = bits_per_dim(config, data(num_levels, dequantised), nats)
    assert found == pytest.approx(2 + offset)


@pytest.mark.parametrize(
    ("kind", "dequantised"),
    [("sum_of_squares", True), ("sum_of_squares", False), ("gaussian", False)],
)
def test_what_is_no_density_of_these_images_has_no_bits(kind: str, dequantised: bool) -> None:
    config = ANY_CONFIG.validate_python({"kind": kind})
    assert bits_per_dim(config, data(dequantised=dequantised), 100.0) is None


def test_a_density_and_a_probability_agree_in_bits_where_levels_are_fine() -> None:
    torch.manual_seed(0)
    z = latents(1).expand(200, -1)
    logistic = build(LogisticLikelihoodConfig())
    assert isinstance(logistic, LogisticLikelihood)
    levels = torch.randint(0, 256, (200, *SHAPE), dtype=torch.uint8)
    x = dequantise(levels, 256)
    exact = (x - logistic.mean(z)) / logistic.scale
    density = flat_sum(-exact - 2 * nn.functional.softplus(-exact) - logistic.scale.log())
    inner = ((levels > 0) & (levels < 255)).flatten(1).all(1)
    bits = -density / (48 * math.log(2)) + 7
    probability = -logistic(z).log_prob(x) / (48 * math.log(2))
    torch.testing.assert_close(bits[inner], probability[inner], rtol=0, atol=0.01)
