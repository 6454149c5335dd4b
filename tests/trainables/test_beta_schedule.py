import math
from collections.abc import Callable

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import BetaScheduleConfig

KINDS = ("linear", "quadratic", "sigmoid", "cosine")
RESCALED = [
    BetaScheduleConfig(kind=kind, num_steps=num_steps)
    for kind in KINDS
    for num_steps in (1000, 50)
]
CONFIGS = [
    *RESCALED,
    *[BetaScheduleConfig(kind=kind, num_steps=50, rescale=False) for kind in KINDS],
    BetaScheduleConfig(kind="linear", num_steps=21),
    BetaScheduleConfig(kind="linear", num_steps=1, rescale=False),
    BetaScheduleConfig(kind="cosine", num_steps=2),
]


def name(config: BetaScheduleConfig) -> str:
    return f"{config.kind}-{config.num_steps}" + ("" if config.rescale else "-unrescaled")


@pytest.fixture(params=CONFIGS, ids=name)
def schedule(request: pytest.FixtureRequest) -> BetaSchedule:
    return build_beta_schedule(request.param)


def all_times(schedule: BetaSchedule) -> torch.Tensor:
    return torch.arange(1, schedule.num_steps + 1)


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_a_schedule_has_as_many_steps_as_its_config_asks(config: BetaScheduleConfig) -> None:
    schedule = build_beta_schedule(config)
    assert len(schedule.betas) == len(schedule.alphas_bar) == config.num_steps
    assert schedule.num_steps == config.num_steps


def test_betas_lie_between_0_and_1(schedule: BetaSchedule) -> None:
    assert schedule.betas.dtype == schedule.alphas_bar.dtype == torch.float64
    assert torch.all((schedule.betas > 0) & (schedule.betas < 1))


def test_walking_the_chain_step_by_step_ends_in_the_marginal(schedule: BetaSchedule) -> None:
    alpha_t, sigma_t = schedule.marginal(all_times(schedule))
    factor, variance = 1.0, 0.0
    for t, beta in enumerate(schedule.betas.tolist(), start=1):
        factor, variance = math.sqrt(1 - beta) * factor, (1 - beta) * variance + beta
        assert alpha_t[t - 1].item() == pytest.approx(factor, rel=1e-9)
        assert sigma_t[t - 1].item() == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_the_marginal_keeps_unit_variance(schedule: BetaSchedule) -> None:
    alpha_t, sigma_t = schedule.marginal(all_times(schedule))
    torch.testing.assert_close(alpha_t**2 + sigma_t**2, torch.ones_like(alpha_t))


def test_signal_to_noise_falls_with_time(schedule: BetaSchedule) -> None:
    alpha_t, sigma_t = schedule.marginal(all_times(schedule))
    assert torch.all((alpha_t / sigma_t).diff() < 0)


@pytest.mark.parametrize("config", RESCALED, ids=name)
def test_hardly_anything_of_z_is_left_at_the_end(config: BetaScheduleConfig) -> None:
    schedule = build_beta_schedule(config)
    assert 0 < schedule.end_signal < 1e-3
    assert schedule.ends_in_noise


@pytest.mark.parametrize("kind", ["linear", "quadratic", "sigmoid"])
def test_a_short_chain_that_is_not_rescaled_does_not_end_in_noise(kind: str) -> None:
    config = BetaScheduleConfig.model_validate({"kind": kind, "num_steps": 100, "rescale": False})
    assert not build_beta_schedule(config).ends_in_noise


def test_the_end_is_noise_where_a_dimension_pays_less_than_its_threshold_says() -> None:
    for num_betas in range(100, 1000, 50):
        betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)[:num_betas]
        schedule = BetaSchedule(betas)
        _, (sigma_t,) = schedule.marginal(torch.tensor([schedule.num_steps]))
        unit = Normal(torch.zeros(()).double(), 1)
        z_0 = torch.tensor([-1.0, 1.0]).double()  # of unit variance
        end = Normal(math.sqrt(schedule.end_signal) * z_0, sigma_t)
        assert schedule.ends_in_noise == (
            kl_divergence(end, unit).mean().item() < -math.log(0.99) / 2
        )


@pytest.mark.parametrize(
    "config", [config for config in CONFIGS if config.num_steps > 1], ids=name
)
def test_the_posterior_is_that_of_bayes_on_a_grid(config: BetaScheduleConfig) -> None:
    schedule = build_beta_schedule(config)
    z_0, z_t, t = 0.7, -0.4, min(schedule.num_steps, 7)
    (alpha_s,), (sigma_s,) = schedule.marginal(torch.tensor([t - 1]))
    beta = schedule.betas[t - 1]
    of_z_0, of_z_t = schedule.posterior_coefficients
    grid = torch.linspace(-6, 6, 400_001, dtype=torch.float64)
    log_density = -((grid - alpha_s * z_0) ** 2) / (2 * sigma_s**2) - (
        z_t - (1 - beta).sqrt() * grid
    ) ** 2 / (2 * beta)
    density = torch.softmax(log_density, dim=0)
    mean = (density * grid).sum()
    variance = (density * (grid - mean) ** 2).sum()
    torch.testing.assert_close(of_z_0[t - 1] * z_0 + of_z_t[t - 1] * z_t, mean)
    torch.testing.assert_close(schedule.posterior_variances[t - 1], variance)


def test_the_posterior_of_the_first_step_is_z_0_itself(schedule: BetaSchedule) -> None:
    of_z_0, of_z_t = schedule.posterior_coefficients
    assert of_z_0[0].item() == pytest.approx(1)
    assert of_z_t[0] == schedule.posterior_variances[0] == 0


def test_the_posterior_knows_more_than_the_step(schedule: BetaSchedule) -> None:
    assert torch.all(schedule.posterior_variances < schedule.betas)


def test_the_linear_schedule_of_1000_steps_is_that_of_ho_et_al() -> None:
    betas = build_beta_schedule(BetaScheduleConfig(kind="linear", num_steps=1000)).betas
    torch.testing.assert_close(betas, torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))


@pytest.mark.parametrize(
    ("kind", "steps_of_their_own"),
    [
        ("linear", lambda betas: betas.diff()),
        ("quadratic", lambda betas: betas.sqrt().diff()),
        ("sigmoid", lambda betas: ((betas - 1e-4) / (0.02 - betas)).log().diff()),
    ],
)
def test_a_kind_has_even_steps_on_its_own_scale(
    kind: str, steps_of_their_own: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    config = BetaScheduleConfig.model_validate({"kind": kind, "rescale": False})
    steps = steps_of_their_own(build_beta_schedule(config).betas)
    torch.testing.assert_close(steps, steps.mean().expand_as(steps))


@pytest.mark.parametrize("kind", ["linear", "quadratic", "sigmoid"])
def test_betas_run_between_the_ends_of_ho_et_al(kind: str) -> None:
    config = BetaScheduleConfig.model_validate({"kind": kind})
    betas = build_beta_schedule(config).betas
    # The logistic function from -6 to 6 stops a quarter of a percent before both its ends.
    margin = 0.0025 * 0.0199 if kind == "sigmoid" else 1e-12
    assert betas[0].item() == pytest.approx(1e-4, abs=margin)
    assert betas[-1].item() == pytest.approx(0.02, abs=margin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shorter_rescaled_schedule_destroys_as_much(kind: str) -> None:
    ends = []
    for num_steps in (200, 1000):
        config = BetaScheduleConfig.model_validate({"kind": kind, "num_steps": num_steps})
        # Before the last beta of the cosine, which its clip decides.
        ends.append(build_beta_schedule(config).alphas_bar[num_steps * 9 // 10 - 1].log().item())
    assert ends[0] == pytest.approx(ends[1], rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_rescaling_multiplies_every_beta_but_those_of_the_cosine(kind: str) -> None:
    rescaled, plain = (
        build_beta_schedule(
            BetaScheduleConfig.model_validate({"kind": kind, "num_steps": 50, "rescale": rescale})
        ).betas
        for rescale in (True, False)
    )
    torch.testing.assert_close(rescaled, plain if kind == "cosine" else 20 * plain)


def test_the_cosine_schedule_follows_its_definition_until_the_clip() -> None:
    num_steps = 200
    schedule = build_beta_schedule(BetaScheduleConfig(kind="cosine", num_steps=num_steps))
    shares = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
    f = torch.cos((shares + 0.008) / 1.008 * math.pi / 2) ** 2
    torch.testing.assert_close(schedule.alphas_bar[:-1], (f / f[0])[1:-1])
    assert schedule.betas[-1] == 0.999


@pytest.mark.parametrize("time", [0, 51])
def test_there_is_no_time_outside_the_chain(time: int) -> None:
    schedule = build_beta_schedule(BetaScheduleConfig(num_steps=50))
    with pytest.raises(AssertionError, match="from 1 to num_steps"):
        schedule.marginal(torch.tensor([time]))


def test_a_schedule_cannot_be_changed(schedule: BetaSchedule) -> None:
    with pytest.raises(AttributeError):
        schedule.betas = schedule.betas / 2
