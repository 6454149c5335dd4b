"""The law of t that is matched to the error which the network's own output can leave.

With the best network for z_0 ~ N(0, s² I), ε - ε̂ is Gaussian of variance e_t in each dimension,
so one draw of t estimates Σ_t w_t ‖ε - ε̂‖² with the variance

    Σ_t (w_t e_t)² (d² + 2d) / p_t - (Σ_t w_t e_t d)²,     e_t = ᾱ_t s² / (ᾱ_t s² + 1 - ᾱ_t)
"""

import math
from itertools import product

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from tests.trainables.known_diffusion import LinearNetwork, build
from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import BetaScheduleConfig, DiffusionPriorConfig
from trainables.diffusion.time_law import NUM_KEPT, SecondMomentLaw, TimeLaw
from trainables.priors.diffusion import DiffusionPrior

SCHEDULES = [
    {"kind": "linear"},
    {"kind": "linear", "rescale": False},
    {"kind": "quadratic"},
    {"kind": "sigmoid"},
    {"kind": "cosine"},
]
PREDICTIONS = ("epsilon", "x0", "v")
EVERY = [
    pytest.param(
        {**schedule, "num_steps": num_steps}, prediction,
        id=f"{'-'.join(map(str, schedule.values()))}-{num_steps}-{prediction}",
    )
    for schedule, num_steps, prediction in product(SCHEDULES, (25, 100, 1000), PREDICTIONS)
]  # fmt: skip


def prior_of(
    schedule: dict[str, object], prediction: str, latent_size: int = 2, **options: object
) -> DiffusionPrior:
    values = {"hidden_size": 4, "num_layers": 1, "prediction": prediction}
    config = values | {"beta_schedule": schedule} | options
    return build(DiffusionPriorConfig.model_validate(config), latent_size)


def chain_of(schedule: dict[str, object]) -> BetaSchedule:
    return build_beta_schedule(BetaScheduleConfig.model_validate(schedule))


def weights(schedule: BetaSchedule) -> torch.Tensor:
    """w_t of σ_t² = β_t."""
    return schedule.betas / (2 * (1 - schedule.betas) * (1 - schedule.alphas_bar))


def variance_of_a_draw(
    law: TimeLaw, schedule: BetaSchedule, latent_size: int, scale: float = 1.0
) -> float:
    signal = schedule.alphas_bar * scale**2
    error = weights(schedule) * signal / (signal + 1 - schedule.alphas_bar)
    assert len(law.times) == schedule.num_steps
    inverse = law.inverse_probability[1:].double()
    second_moment = (error**2 * inverse).sum() * (latent_size**2 + 2 * latent_size)
    return float(second_moment - (error.sum() * latent_size) ** 2)


@pytest.mark.parametrize(("schedule", "prediction"), EVERY)
def test_a_draw_varies_less_than_with_uniform_times(
    schedule: dict[str, object], prediction: str
) -> None:
    prior = prior_of(schedule, prediction)
    chain = chain_of(schedule)
    for latent_size in (2, 8, 200):
        ours, uniform = (
            math.sqrt(variance_of_a_draw(law, chain, latent_size))
            for law in (prior.training_law, prior.uniform_law)
        )
        assert ours <= (1 if latent_size == 2 else 0.65) * uniform
        if prediction == "v":  # weighted by the error that the network leaves
            assert ours <= (0.6 if latent_size == 2 else 0.42) * uniform
        for scale in (0.3, 3.0):
            variances = (
                variance_of_a_draw(law, chain, latent_size, scale)
                for law in (prior.training_law, prior.uniform_law)
            )
            assert next(variances) <= 1.25 * next(variances)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_end_of_a_cosine_chain_does_not_take_every_draw(prediction: str) -> None:
    prior = prior_of({"kind": "cosine", "num_steps": 50}, prediction)
    torch.manual_seed(0)
    t = prior.training_law.draw(100_000)
    assert (t == 50).float().mean() < 0.15
    evaluated = prior.later_law.at(torch.linspace(0, 1, 8, dtype=torch.float64))
    assert (evaluated == 50).sum() <= 1
    chain = chain_of({"kind": "cosine", "num_steps": 50})
    assert math.sqrt(variance_of_a_draw(prior.training_law, chain, 8)) < 28


@pytest.mark.parametrize(("schedule", "prediction"), EVERY)
def test_evaluation_is_sharp_and_agrees_with_the_closed_form(
    schedule: dict[str, object], prediction: str
) -> None:
    """Over posteriors of marginal N(0, I) the best network pays KL(q || N(0, I)) with β_t."""
    num_images, latent_size = 500, 8
    prior = prior_of(schedule, prediction, latent_size)
    prior.process.network = LinearNetwork(prior, 1.0, None)
    generator = torch.Generator().manual_seed(3)
    loc = 0.8 * torch.randn(num_images, latent_size, generator=generator)
    q = Independent(Normal(loc, torch.full_like(loc, 0.6)), 1)
    z = loc + 0.6 * torch.randn(loc.shape, generator=generator)
    with torch.no_grad():
        estimate = prior.evaluate_rate(q, z, generator)
    noise = estimate.standard_error.double().square().sum().sqrt().item() / num_images
    assert noise < 0.2
    standard = Independent(Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
    gaps = (estimate.total - kl_divergence(q, standard)).double()
    spread = gaps.std().item() / math.sqrt(num_images)
    assert abs(gaps.mean().item()) < 5 * spread + 1e-3
    assert spread < 0.5


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("times", ["matched", "loss_second_moment", "uniform", "stratified"])
@torch.no_grad()
def test_every_law_estimates_the_same_bound(times: str, prediction: str) -> None:
    prior = prior_of({"kind": "cosine", "num_steps": 30}, prediction, times=times)
    q = Independent(Normal(torch.zeros(500, 2), torch.full((500, 2), 0.7)), 1)
    z = q.sample()
    if isinstance(prior.training_law, SecondMomentLaw):
        prior.train()
        for _ in range(10):
            prior.rate(q, z)
        assert prior.training_law.counts.min() >= NUM_KEPT
        prior.eval()
    rates = torch.stack([prior.rate(q, z).double().mean() for _ in range(400)])
    estimates = torch.stack(
        [
            prior.evaluate_rate(q, z, torch.Generator().manual_seed(n)).total.double().mean()
            for n in range(20)
        ]
    )
    error = math.hypot(rates.std() / 20, estimates.std() / math.sqrt(20))
    assert abs(rates.mean() - estimates.mean()) < 4.5 * error


def test_a_law_by_second_moments_is_uniform_until_each_time_has_ten_terms() -> None:
    law = SecondMomentLaw(torch.tensor([0.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    t = torch.tensor([1, 2, 3]).repeat(NUM_KEPT - 1)
    law.observe(t, t.float())
    torch.testing.assert_close(law.inverse_probability[1:], torch.full((3,), 3.0))
    law.observe(torch.tensor([3, 1, 2]), torch.tensor([3.0, 1.0, 2.0]))
    expected = 0.999 * torch.tensor([1.0, 2.0, 3.0]) / 6 + 0.001 / 3
    torch.testing.assert_close(1 / law.inverse_probability[1:], expected)


def test_a_law_by_second_moments_follows_the_newest_ten_terms() -> None:
    law = SecondMomentLaw(torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    for size in (100.0, 1.0):  # the first ten are forgotten
        t = torch.tensor([1, 2]).repeat(NUM_KEPT + 3)
        law.observe(t, size * torch.where(t == 1, 3.0, 4.0))
    expected = 0.999 * torch.tensor([3.0, 4.0]) / 7 + 0.001 / 2
    torch.testing.assert_close(1 / law.inverse_probability[1:], expected)


def test_a_law_by_second_moments_goes_on_where_it_was_saved() -> None:
    def trained() -> DiffusionPrior:
        return prior_of({"num_steps": 30}, "v", times="loss_second_moment").train()

    first, second = trained(), trained()
    q = Independent(Normal(torch.zeros(400, 2), torch.ones(400, 2)), 1)
    torch.manual_seed(1)
    for _ in range(3):
        first.rate(q, q.sample())
    assert first.training_law.inverse_probability[1:].std() > 0
    second.load_state_dict(first.state_dict())
    drawn = []
    for prior in (first, second):
        torch.manual_seed(2)
        drawn.append(prior.training_law.draw(1000))
    assert torch.equal(*drawn)


def test_the_shipped_law_keeps_its_name_and_meaning() -> None:
    """In proportion to the weight alone: what stored configs of revision 1 say."""
    schedule = {"kind": "cosine", "num_steps": 50}
    law = prior_of(schedule, "epsilon", times="importance").training_law
    chain = chain_of(schedule)
    shares = weights(chain) / weights(chain).sum()
    torch.testing.assert_close(1 / law.inverse_probability[1:], shares.float())
    torch.manual_seed(0)
    assert (law.draw(100_000) == 50).float().mean() == pytest.approx(0.984, abs=0.003)
