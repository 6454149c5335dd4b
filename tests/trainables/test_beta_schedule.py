import math

import pytest
import torch

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import BetaScheduleConfig

CONFIGS = [
    BetaScheduleConfig(kind="linear", num_steps=1000),
    BetaScheduleConfig(kind="linear", num_steps=50),
    BetaScheduleConfig(kind="cosine", num_steps=1000),
    BetaScheduleConfig(kind="cosine", num_steps=50),
    BetaScheduleConfig(kind="cosine", num_steps=2),
]


@pytest.fixture(params=CONFIGS, ids=lambda config: f"{config.kind}-{config.num_steps}")
def schedule(request: pytest.FixtureRequest) -> BetaSchedule:
    return build_beta_schedule(request.param)


def all_times(schedule: BetaSchedule) -> torch.Tensor:
    return torch.arange(1, schedule.num_steps + 1)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
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


def test_hardly_anything_of_z_is_left_at_the_end(schedule: BetaSchedule) -> None:
    assert 0 < schedule.alphas_bar[-1] < 1e-3


def test_the_posterior_is_that_of_bayes_on_a_grid(schedule: BetaSchedule) -> None:
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


def test_a_shorter_linear_schedule_destroys_as_much() -> None:
    log_ends = [
        build_beta_schedule(BetaScheduleConfig(num_steps=n)).alphas_bar[-1].log().item()
        for n in (100, 1000)
    ]
    assert log_ends[0] == pytest.approx(log_ends[1], rel=0.1)


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
