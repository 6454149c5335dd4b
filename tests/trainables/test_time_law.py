import pytest
import torch

from tests.trainables.known_diffusion import (
    assert_close_in_mean,
    build,
    diffusion,
    posterior,
    with_linear_network,
)
from trainables.beta_schedule import BetaSchedule, build_beta_schedule


@torch.no_grad()
def test_the_mean_over_a_batch_varies_less_with_every_way_to_draw_times() -> None:
    q = posterior(64)
    z = q.sample()
    means = []
    for times in ("uniform", "stratified", "importance"):
        prior = with_linear_network(diffusion(times=times))
        torch.manual_seed(1)
        means.append(torch.stack([prior.rate(q, z).mean() for _ in range(1000)]))
    expected = with_linear_network(diffusion()).evaluate_rate(
        posterior(64_000), z.repeat(1000, 1), torch.Generator().manual_seed(1)
    )
    for mean in means:
        assert_close_in_mean(mean, expected.total.mean())
    deviations = [mean.std() for mean in means]
    # Deviations of 1000 draws are known to 2 %.
    assert deviations[1] < 0.9 * deviations[0]
    assert deviations[2] < 0.9 * deviations[1]


def importance(schedule: BetaSchedule) -> torch.Tensor:
    """The exact weights of ‖ε - ε̂‖² with σ_t² = β_t, as shares."""
    weights = schedule.betas / ((1 - schedule.betas) * (1 - schedule.alphas_bar))
    return weights / weights.sum()


@pytest.mark.parametrize("times", ["stratified", "importance"])
def test_a_batch_has_every_time_by_its_share(times: str) -> None:
    config, num_images = diffusion(times=times), 100_000
    t = build(config).training_law.draw_systematic(num_images)
    shares = torch.bincount(t, minlength=51)[1:] / num_images
    schedule = build_beta_schedule(config.beta_schedule)
    expected = importance(schedule) if times == "importance" else torch.full((50,), 1 / 50)
    torch.testing.assert_close(shares, expected.float(), atol=3 / num_images, rtol=0)


def test_every_image_of_a_batch_may_have_every_time() -> None:
    law, num_batches = build(diffusion(times="importance")).training_law, 5000
    t = torch.stack([law.draw_systematic(3) for _ in range(num_batches)])
    expected = importance(build_beta_schedule(diffusion().beta_schedule))
    for image in range(3):
        shares = torch.bincount(t[:, image], minlength=51)[1:] / num_batches
        deviation = (expected * (1 - expected) / num_batches).sqrt()
        assert torch.all((shares - expected).abs() < 5 * deviation)
