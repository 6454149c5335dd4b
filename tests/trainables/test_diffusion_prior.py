import math
from itertools import pairwise, product

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import DiffusionPriorConfig
from trainables.diffusion.chain import Chain
from trainables.diffusion.denoiser import noise_from_output, time_embedding
from trainables.diffusion.reverse_variance import AnalyticVariance
from trainables.diffusion.step import ddim_steps
from trainables.priors import build_prior
from trainables.priors.diffusion import DiffusionPrior

LATENT = 3
VARIANCES = ("beta", "posterior", "analytic", "learned")
PREDICTIONS = ("epsilon", "x0", "v")
UNIT = Normal(torch.zeros(()).double(), torch.ones(()).double())
LINEAR, COSINE = {"num_steps": 50}, {"kind": "cosine", "num_steps": 40}
TINY = [{"num_steps": 1, "rescale": False}, {"kind": "cosine", "num_steps": 2}]


def diffusion(**options: object) -> DiffusionPriorConfig:
    group = {"hidden_size": 16, "num_layers": 2, "beta_schedule": LINEAR}
    return DiffusionPriorConfig.model_validate(group | options)


def build(config: DiffusionPriorConfig, latent_size: int = LATENT) -> DiffusionPrior:
    torch.manual_seed(0)
    prior = build_prior(config, latent_size).eval()
    assert isinstance(prior, DiffusionPrior)
    return prior


def posterior(num_images: int = 1) -> Independent:
    loc = torch.linspace(-1, 1, LATENT).expand(num_images, -1)
    scale = torch.linspace(0.3, 0.9, LATENT).expand(num_images, -1)
    return Independent(Normal(loc, scale), 1)


def assert_close_in_mean(draws: torch.Tensor, expected: float | torch.Tensor) -> None:
    standard_error = draws.std() / len(draws) ** 0.5
    assert (draws.mean() - expected).abs() <= 4 * standard_error + 1e-5


class LinearNetwork(nn.Module):
    """ε̂ = factor sigma_t z_t, said in any of the three ways; perfect for N(0, I) at factor 1.

    A learned variance lies at the `share` of its way from posterior to beta.
    """

    def __init__(self, prior: DiffusionPrior, factor: float, share: float | None) -> None:
        super().__init__()
        self.alpha, self.sigma = prior.process.alpha, prior.process.sigma
        self.prediction, self.share = prior.process.prediction, share
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = self.alpha[t][..., None], self.sigma[t][..., None]
        noise = self.factor * sigma * z_t
        z_0 = (1 - self.factor * sigma**2) / alpha * z_t
        said = {"epsilon": noise, "x0": z_0, "v": alpha * noise - sigma * z_0}[self.prediction]
        if self.share is None:
            return said
        return torch.cat([said, torch.full_like(said, self.share).logit()], dim=-1)


def with_linear_network(
    config: DiffusionPriorConfig, factor: float = 1.0, share: float = 0.5
) -> DiffusionPrior:
    prior = build(config)
    is_learned = config.variance == "learned"
    prior.process.network = LinearNetwork(prior, factor, share if is_learned else None)
    return prior


def true_squared_error(prior: DiffusionPrior, factor: float) -> torch.Tensor:
    """E(ε - ε̂)² of the network above at each t, in a dimension where z_0 ~ N(0, 1)."""
    alpha, sigma = prior.process.alpha.double(), prior.process.sigma.double()
    return (1 - factor * sigma**2) ** 2 + (factor * sigma * alpha) ** 2


def with_known_errors(prior: DiffusionPrior, factor: float) -> DiffusionPrior:
    if isinstance(prior.process.variance, AnalyticVariance):
        prior.process.variance.mean_squared_error.copy_(true_squared_error(prior, factor))
    return prior


@torch.no_grad()
def gap_to_the_standard_normal(prior: DiffusionPrior, num_images: int) -> torch.Tensor:
    """By how much the bound exceeds KL(q || N(0, I)), averaged over q's of marginal N(0, I)."""
    torch.manual_seed(1)
    scale = torch.full((num_images, LATENT), 0.6)
    loc = 0.8 * torch.randn(num_images, LATENT)
    q = Independent(Normal(loc, scale), 1)
    estimate = prior.evaluate_rate(q, q.sample(), torch.Generator().manual_seed(1))
    standard = Independent(Normal(torch.zeros_like(loc), torch.ones_like(scale)), 1)
    return estimate.total - kl_divergence(q, standard)


def reverse_variance(
    config: DiffusionPriorConfig, schedule: BetaSchedule, t: int, share: float | torch.Tensor
) -> torch.Tensor:
    """σ_t² as the config's words define it; `analytic` for the errors of an untouched prior."""
    beta, tilde = schedule.betas[t - 1], schedule.posterior_variances[t - 1]
    if config.variance in ("beta", "analytic") or (config.variance == "posterior" and t == 1):
        return beta
    if t == 1:
        tilde = schedule.posterior_variances[1] if schedule.num_steps > 1 else beta
    return tilde if config.variance == "posterior" else beta**share * tilde ** (1 - share)


def chain_divergence(config: DiffusionPriorConfig, share: float) -> float:
    """The gap in closed form: q(z_{t-1}|z_t) is N(…, β_t) when z_0 ~ N(0, I)."""
    schedule = build_beta_schedule(config.beta_schedule)
    gap = 0.0
    for t, beta in enumerate(schedule.betas.tolist(), start=1):
        ratio = beta / reverse_variance(config, schedule, t, share).item()
        gap += (ratio - 1 - math.log(ratio)) / 2
    return LATENT * gap


@pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=["linear", "cosine"])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_best_network_pays_what_its_chain_must(variance: str, schedule: object) -> None:
    config = diffusion(beta_schedule=schedule, variance=variance)
    gap = gap_to_the_standard_normal(with_linear_network(config, share=0.3), 50_000)
    assert_close_in_mean(gap, chain_divergence(config, share=0.3))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("variance", VARIANCES)
def test_no_network_pays_less_than_the_divergence(variance: str, factor: float) -> None:
    prior = with_known_errors(with_linear_network(diffusion(variance=variance), factor), factor)
    gap = gap_to_the_standard_normal(prior, 10_000)
    assert gap.mean() > -4 * gap.std() / len(gap) ** 0.5


@pytest.mark.parametrize("variance", ["posterior", "learned"])
def test_a_longer_chain_is_closer_to_the_divergence(variance: str) -> None:
    gaps = []
    for num_steps in (50, 500):
        config = diffusion(beta_schedule={"num_steps": num_steps}, variance=variance)
        gaps.append(gap_to_the_standard_normal(with_linear_network(config), 20_000).mean())
    assert 0 < gaps[1] < gaps[0] / 2


@torch.no_grad()
@pytest.mark.parametrize(
    ("variance", "prediction", "schedule"),
    [
        *[(variance, "epsilon", LINEAR) for variance in VARIANCES],
        *[(variance, "v", COSINE) for variance in VARIANCES],
        ("learned", "x0", LINEAR),
        *[(variance, "epsilon", schedule) for variance, schedule in product(VARIANCES, TINY)],
    ],
    ids=str,
)
def test_the_bound_is_the_sum_over_all_times(
    variance: str, prediction: str, schedule: object
) -> None:
    """Against torch's divergences, one time after the other, with no weight drawn."""
    config = diffusion(variance=variance, prediction=prediction, beta_schedule=schedule)
    prior, q = build(config), posterior(400)
    z = q.sample()
    expected = -q.entropy() + all_divergences(prior, config, z, num_noises=20)
    generator = torch.Generator().manual_seed(1)
    estimates = [prior.evaluate_rate(q, z, generator).total for _ in range(20)]
    assert_close_in_mean(torch.stack(estimates).mean(0) - expected, 0.0)


def all_divergences(
    prior: DiffusionPrior, config: DiffusionPriorConfig, z: torch.Tensor, num_noises: int
) -> torch.Tensor:
    schedule, z = build_beta_schedule(config.beta_schedule), z.double()
    alphas, sigmas = schedule.marginal(torch.arange(1, schedule.num_steps + 1))
    total = kl_divergence(Normal(alphas[-1] * z, sigmas[-1]), UNIT).sum(-1)
    for t in range(1, schedule.num_steps + 1):
        z_t = Normal(alphas[t - 1] * z, sigmas[t - 1]).sample((num_noises,))
        output = prior.process.network(z_t.float(), torch.full(z_t.shape[:-1], t)).double()
        denoised = z_0_from(config, output[..., :LATENT], z_t, alphas[t - 1], sigmas[t - 1])
        variance = reverse_variance(config, schedule, t, output[..., LATENT:].sigmoid())
        p = Normal(posterior_mean(schedule, t, denoised, z_t), variance.sqrt())
        if t == 1:
            total = total - p.log_prob(z).sum(-1).mean(0)
        else:
            scale = schedule.posterior_variances[t - 1].sqrt()
            q = Normal(posterior_mean(schedule, t, z, z_t), scale)
            total = total + kl_divergence(q, p).sum(-1).mean(0)
    return total


def z_0_from(
    config: DiffusionPriorConfig,
    said: torch.Tensor,
    z_t: torch.Tensor,
    alpha: torch.Tensor,
    sigma: torch.Tensor,
) -> torch.Tensor:
    match config.prediction:
        case "epsilon":
            return (z_t - sigma * said) / alpha
        case "v":
            return alpha * z_t - sigma * said
        case _:
            return said


def posterior_mean(
    schedule: BetaSchedule, t: int, z_0: torch.Tensor, z_t: torch.Tensor
) -> torch.Tensor:
    of_z_0, of_z_t = schedule.posterior_coefficients
    return of_z_0[t - 1] * z_0 + of_z_t[t - 1] * z_t


@torch.no_grad()
def test_a_chain_whose_end_is_not_yet_noise_pays_for_it() -> None:
    prior = build(diffusion(beta_schedule={"num_steps": 50, "rescale": False}))
    q = posterior(7)
    z, alpha_bar = q.sample(), torch.tensor(prior.end_signal)
    expected = kl_divergence(Normal(alpha_bar.sqrt() * z, (1 - alpha_bar).sqrt()), UNIT).sum(-1)
    parts = prior.evaluate_rate(q, z, torch.Generator()).parts
    torch.testing.assert_close(parts["L_T"], expected.float())
    assert expected.min() > 0.05


@pytest.mark.parametrize("factor", [1.0, 0.7])
@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_every_prediction_gives_the_same_bound_and_samples(prediction: str, factor: float) -> None:
    said = with_linear_network(diffusion(prediction=prediction), factor)
    noise = with_linear_network(diffusion(), factor)
    gaps = [gap_to_the_standard_normal(prior, 100) for prior in (said, noise)]
    torch.testing.assert_close(*gaps, rtol=1e-3, atol=1e-3)
    samples = []
    for prior in (said, noise):
        torch.manual_seed(2)
        samples.append(prior.sample(100))
    torch.testing.assert_close(*samples, rtol=1e-3, atol=1e-3)


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


def test_evaluation_takes_the_length_of_the_noise_out_of_its_variance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Most of a good network's error at small t, where the weight is."""

    def mean_variance() -> torch.Tensor:
        prior = with_linear_network(diffusion(beta_schedule={"num_steps": 1000}))
        z = torch.randn(2000, LATENT, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            estimate = prior.evaluate_rate(posterior(2000), z, torch.Generator().manual_seed(1))
        return estimate.standard_error.square().mean()

    reduced = mean_variance()
    monkeypatch.setattr(
        DiffusionPrior, "_control_variate", lambda self, t, noise: torch.zeros(t.shape)
    )
    assert reduced < mean_variance() / 5


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
    law, num_batches = build(diffusion()).training_law, 5000
    t = torch.stack([law.draw_systematic(3) for _ in range(num_batches)])
    expected = importance(build_beta_schedule(diffusion().beta_schedule))
    for image in range(3):
        shares = torch.bincount(t[:, image], minlength=51)[1:] / num_batches
        deviation = (expected * (1 - expected) / num_batches).sqrt()
        assert torch.all((shares - expected).abs() < 5 * deviation)


def gradients(prior: DiffusionPrior, loss: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of the rate or the auxiliary loss: in z, and in the denoiser's parameters."""
    torch.manual_seed(1)
    q, z = posterior(200), posterior(200).sample().requires_grad_()
    torch.manual_seed(2)
    value = prior.rate(q, z).sum() if loss == "rate" else prior.auxiliary_loss(z)
    value.backward()
    parameters = dict(prior.named_parameters())
    assert z.grad is not None
    return z.grad, {name: p.grad for name, p in parameters.items() if p.grad is not None}


@pytest.mark.parametrize("variance", VARIANCES)
def test_under_simple_the_rate_trains_the_encoder_alone_and_as_the_bound_does(
    variance: str,
) -> None:
    exact, parameters = gradients(build(diffusion(variance=variance)), "rate")
    simple, none = gradients(build(diffusion(variance=variance, weighting="simple")), "rate")
    torch.testing.assert_close(simple, exact)
    assert parameters
    assert not none


@torch.no_grad()
@pytest.mark.parametrize("times", ["uniform", "stratified"])
@pytest.mark.parametrize("variance", ["beta", "learned"])
def test_the_simple_loss_is_the_mean_error_over_all_times(variance: str, times: str) -> None:
    config = diffusion(weighting="simple", times=times)
    prior = with_linear_network(config, factor=0.7)
    z = torch.randn(1000, LATENT, generator=torch.Generator().manual_seed(1))
    losses = torch.stack([prior.auxiliary_loss(z) for _ in range(300)])
    # In a dimension of z's own second moment, not quite that of N(0, 1).
    alpha, sigma = prior.process.alpha.double()[1:], prior.process.sigma.double()[1:]
    by_time = (1 - 0.7 * sigma**2) ** 2 + (0.7 * sigma * alpha) ** 2 * z.square().mean()
    assert_close_in_mean(losses, LATENT * by_time.mean())


def test_the_simple_loss_leaves_the_mean_to_the_error_and_the_variance_to_the_bound() -> None:
    plain = build(diffusion(weighting="simple"))
    hybrid = build(diffusion(weighting="simple", variance="learned"))
    plain.process.network = Scales()
    hybrid.process.network = Scales(with_variance=True)
    _, of_plain = gradients(plain, "auxiliary")
    _, of_hybrid = gradients(hybrid, "auxiliary")
    torch.testing.assert_close(
        of_hybrid["process.network.of_mean"], of_plain["process.network.of_mean"]
    )
    exact = build(diffusion(variance="learned", times="stratified"))
    exact.process.network = Scales(with_variance=True)
    _, of_exact = gradients(exact, "rate")
    # A mean over 200 images there, a sum here.
    expected = 0.001 * of_exact["process.network.of_variance"] / 200
    torch.testing.assert_close(of_hybrid["process.network.of_variance"], expected)


class Scales(nn.Module):
    """ε̂ = a z_t, and b z_t for the variance."""

    def __init__(self, *, with_variance: bool = False) -> None:
        super().__init__()
        self.of_mean = nn.Parameter(torch.tensor(0.3))
        self.of_variance = nn.Parameter(torch.tensor(0.5)) if with_variance else None

    def forward(self, z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        said = self.of_mean * z_t
        if self.of_variance is None:
            return said
        return torch.cat([said, self.of_variance * z_t], dim=-1)


def trained_analytic(factor: float) -> DiffusionPrior:
    """With the errors that a few large training batches of z_0 ~ N(0, I) showed it."""
    prior = with_linear_network(diffusion(variance="analytic", times="stratified"), factor).train()
    q = Independent(Normal(torch.zeros(50_000, LATENT), torch.ones(50_000, LATENT)), 1)
    torch.manual_seed(1)
    with torch.no_grad():
        prior.rate(q, q.sample())
    return prior.eval()


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_the_analytic_variance_learns_the_error_of_the_network(factor: float) -> None:
    prior = trained_analytic(factor)
    assert isinstance(prior.process.variance, AnalyticVariance)
    expected = true_squared_error(prior, factor)[1:]
    found = prior.process.variance.mean_squared_error.double()[1:]
    # A thousand draws in three dimensions each: 5 deviations of √2 of the noise's own part.
    torch.testing.assert_close(found, expected, rtol=5 * math.sqrt(2 / 3000), atol=0)


def test_evaluation_teaches_the_analytic_variance_nothing() -> None:
    prior, q = build(diffusion(variance="analytic")), posterior(7)
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    prior.rate(q, q.sample())
    prior.evaluate_rate(q, q.sample(), torch.Generator())
    assert all(torch.equal(before[name], value) for name, value in prior.state_dict().items())


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_analytic_variance_is_no_worse_for_the_same_network(
    variance: str, factor: float
) -> None:
    priors = [
        with_known_errors(with_linear_network(diffusion(variance=kind), factor), factor)
        for kind in ("analytic", variance)
    ]
    analytic, fixed = (gap_to_the_standard_normal(prior, 20_000) for prior in priors)
    difference = analytic - fixed
    if variance == "beta" and factor == 1:  # the best already
        assert_close_in_mean(difference, 0.0)
    else:
        assert difference.mean() < -4 * difference.std() / math.sqrt(len(difference))


@pytest.mark.parametrize(("share", "end"), [(0.0, "posterior"), (1.0, "beta")])
def test_a_learned_variance_reaches_both_its_ends(share: float, end: str) -> None:
    learned = with_linear_network(diffusion(variance="learned"), share=share)
    fixed, z = with_linear_network(diffusion(variance=end)), torch.randn(2, LATENT)
    for step in learned.steps[:-1]:
        found, expected = (p.process.transition(z, step)[1] for p in (learned, fixed))
        torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_a_learned_variance_stays_between_its_ends() -> None:
    prior = build(diffusion(variance="learned"))
    schedule, z = build_beta_schedule(diffusion().beta_schedule), 10 * torch.randn(50, LATENT)
    for parameter in prior.parameters():
        parameter.mul_(3)
    for step in prior.steps:
        _, deviation = prior.process.transition(z, step)
        low = schedule.posterior_variances[max(step.time, 2) - 1]
        assert torch.all(deviation.double().square() >= low * (1 - 1e-5))
        assert torch.all(deviation.double().square() <= schedule.betas[step.time - 1] * (1 + 1e-5))
        assert deviation.std() > 0


@pytest.mark.parametrize("variance", ["beta", "analytic"])
def test_the_best_network_samples_unit_variance_with_the_best_variance(variance: str) -> None:
    torch.manual_seed(1)
    z = with_linear_network(diffusion(variance=variance)).sample(20_000)
    torch.testing.assert_close(z.var(0), torch.ones(LATENT), atol=0.05, rtol=0)


def test_the_last_step_of_sampling_is_noisy_too() -> None:
    """A tenth of the variance is β_1 here: without its noise samples are too narrow."""
    betas = torch.full((10,), 0.1, dtype=torch.float64)
    chain = Chain(BetaSchedule(betas), torch.tensor([0.0] + [1.0] * 10).double(), training_lag=0)
    prior = DiffusionPrior(diffusion(), LATENT, chain)
    prior.process.network = LinearNetwork(prior, 1.0, None)
    torch.manual_seed(1)
    torch.testing.assert_close(prior.sample(20_000).var(0), torch.ones(LATENT), atol=0.05, rtol=0)


@pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=["linear", "cosine"])
def test_ddim_with_all_steps_and_all_noise_is_ancestral_with_posterior(schedule: object) -> None:
    """The same mean for any network, and the same deviation but at t = 1."""
    sampler = {"kind": "ddim", "eta": 1.0}
    config = diffusion(beta_schedule=schedule, variance="posterior", prediction="v")
    ancestral = build(config)
    ddim = build(config.model_copy(update={"sampler": diffusion(sampler=sampler).sampler}))
    z = torch.randn(20, LATENT)
    assert len(ddim.steps) == len(ancestral.steps) == config.beta_schedule.num_steps
    for one, other in zip(ddim.steps, ancestral.steps, strict=True):
        mean, deviation = ddim.process.transition(z, one)
        expected_mean, expected_deviation = ancestral.process.transition(z, other)
        torch.testing.assert_close(mean, expected_mean, rtol=1e-4, atol=1e-4)
        if one.time > 1:
            torch.testing.assert_close(deviation, expected_deviation)
        else:
            assert torch.all(deviation == 0)


@torch.no_grad()
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("num_steps", [5, 20])
def test_ddim_shrinks_noise_by_the_angle_of_each_step(num_steps: int, eta: float) -> None:
    """With α = cos θ, σ = sin θ the best network's step without noise is z_s = cos(θ_t - θ_s) z_t.

    For N(0, I) the probability flow leaves z as it is; these are its Euler steps.
    """
    config = diffusion(sampler={"kind": "ddim", "num_steps": num_steps, "eta": eta})
    schedule = build_beta_schedule(config.beta_schedule)
    angles = torch.cat([torch.zeros(1).double(), schedule.alphas_bar.sqrt().acos()])
    variance = torch.ones(()).double()
    times = [round(50 * i / num_steps) for i in range(num_steps, -1, -1)]
    for t, s in pairwise(times):
        share = 1 - schedule.alphas_bar[t - 1] / (angles[s].cos() ** 2)
        noise = eta**2 * (angles[s].sin() / angles[t].sin()) ** 2 * share
        direction = (angles[s].sin() ** 2 - noise).sqrt()
        factor = angles[s].cos() * angles[t].cos() + direction * angles[t].sin()
        variance = factor**2 * variance + noise
    if eta == 0:
        torch.testing.assert_close(variance, (-angles[times].diff()).cos().prod() ** 2)
    torch.manual_seed(1)
    found = with_linear_network(config).sample(20_000).double().var()
    assert found.item() == pytest.approx(variance.item(), abs=4 * math.sqrt(2 / 60_000))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_noise_of_a_ddim_step_is_the_share_eta_of_bayes(eta: float) -> None:
    schedule = build_beta_schedule(diffusion().beta_schedule)
    alphas_bar = [1.0, *schedule.alphas_bar.tolist()]
    steps = ddim_steps(schedule, 10, eta)
    for step, following in pairwise(steps):
        t, s = alphas_bar[step.time], alphas_bar[following.time]
        precision = 1 / (1 - s) + (t / s) / (1 - t / s)
        assert step.deviation == pytest.approx(eta / math.sqrt(precision))
    assert steps[-1].deviation == 0


def test_ddim_keeps_unit_variance_the_better_the_more_steps_it_takes() -> None:
    def shrinkage(num_steps: int) -> float:
        steps = ddim_steps(build_beta_schedule(diffusion().beta_schedule), num_steps, eta=0.0)
        prior = with_linear_network(diffusion())
        z = torch.ones(1, LATENT)
        for step in steps:
            z, _ = prior.process.transition(z, step)
        return 1 - z.mean().item()

    losses = [shrinkage(num_steps) for num_steps in (5, 10, 25, 50)]
    assert losses == sorted(losses, reverse=True)
    assert 0 < losses[-1] < 0.1


def test_ddim_without_noise_follows_from_its_start() -> None:
    prior = build(diffusion(sampler={"kind": "ddim", "num_steps": 7}))
    assert [step.deviation for step in prior.steps] == [0.0] * 7
    assert [step.time for step in prior.steps] == [50, 43, 36, 29, 21, 14, 7]


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_of_the_truth_is_the_noise(prediction: str) -> None:
    alpha, sigma = torch.full((20, 1), 0.6), torch.full((20, 1), 0.8)
    z_0, noise = torch.randn(20, LATENT), torch.randn(20, LATENT)
    truth = {"epsilon": noise, "x0": z_0, "v": alpha * noise - sigma * z_0}[prediction]
    found = noise_from_output(prediction, truth, alpha * z_0 + sigma * noise, alpha, sigma)
    torch.testing.assert_close(found, noise)


def test_times_are_embedded_apart() -> None:
    embedding = time_embedding(torch.arange(1001), 100)
    assert embedding.shape == (1001, 100)
    assert torch.cdist(embedding, embedding).fill_diagonal_(1).min() > 0.1
    torch.testing.assert_close(embedding.square().sum(-1), torch.full((1001,), 50.0))
