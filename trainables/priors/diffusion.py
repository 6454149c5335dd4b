"""A denoising diffusion over the latents as prior: a chain of Gaussians from noise to z_0.

    p(z_T) = N(0, I),   p(z_{t-1} | z_t) = N(μ(z_t, t), σ_t² I)
    μ(z_t, t) = (z_t - β_t / √(1 - ᾱ_t) ε_φ(z_t, t)) / √α_t        α_t = 1 - β_t
    z_t = √ᾱ_t z_0 + √(1 - ᾱ_t) ε

    rate = -H[q(z_0|x)] + L_T + Σ_{t=2…T} L_{t-1} + L_0  >=  KL(q(z_0|x) || p(z_0))
    L_T     = KL(q(z_T|z_0) || N(0, I)) = ½ (ᾱ_T ‖z_0‖² - d (ᾱ_T + log(1 - ᾱ_T)))
    L_{t-1} = KL(q(z_{t-1}|z_t, z_0) || p(z_{t-1}|z_t)) = d/2 (r - 1 - log r) + w_t ‖ε - ε_φ‖²
    L_0     = -log p(z_0|z_1)                           = d/2 log(2π σ_1²)   + w_1 ‖ε - ε_φ‖²
    r = β̃_t / σ_t²,   w_t = β_t² / (2 σ_t² α_t (1 - ᾱ_t))

σ_t² is β_t or β̃_t; σ_1² is β_1 in both, because β̃_1 = 0 and z_0 is continuous. The sum over t is
W E‖ε - ε_φ‖² with W = Σ w_t, where t is drawn with probability w_t / W: exact as uniform t is,
with less variance. The constants are summed, not drawn.

Ho et al. 2020, arXiv 2006.11239; over latents: Wehenkel & Louppe 2021, arXiv 2106.15671, eq. 16
to 19.
"""

import math

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from trainables.beta_schedule import BetaSchedule, build_beta_schedule
from trainables.config import DiffusionPriorConfig
from trainables.priors.prior import Prior, RateEstimate, negative_entropy

LATER_STRATA = 8
LONGEST_PERIOD = 1e4


class DiffusionPrior(Prior):
    """A DDPM: no density, but a bound on it. Entry t of its tables is time t, 0 is z_0 itself."""

    alpha: Float[Tensor, " times"]
    sigma: Float[Tensor, " times"]
    quantiles: Float[Tensor, " time"]
    stratum_weights: Float[Tensor, " strata"]

    def __init__(self, config: DiffusionPriorConfig, latent_size: int) -> None:
        """A chain of the config's length and the network that walks it back."""
        super().__init__(latent_size)
        schedule = build_beta_schedule(config.beta_schedule)
        self.num_steps = schedule.num_steps
        self.network = NoiseNetwork(config, latent_size)
        variances = _reverse_variances(config, schedule)
        self._tabulate_marginals(schedule)
        self._tabulate_weights(schedule, variances)
        self._tabulate_steps(schedule, variances)

    def rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """The bound above in nats per image, with one time and one noise for each image."""
        t = self._training_times(len(z), z.device)
        error = self._prediction_error(z, t, torch.randn_like(z))
        constants = self.first_constant + self.later_constant
        mean_terms = (self.first_weight + self.later_weight) * error
        return negative_entropy(q) + self._end_rate(z) + constants + mean_terms

    def evaluate_rate(
        self,
        q: Independent[Normal],
        z: Float[Tensor, "batch latent"],
        generator: torch.Generator,
    ) -> RateEstimate:
        """The bound with several times and noises for each image, by terms.

        Two draws go to each stratum: t = 1, and eight of equal weight over t = 2 … T. Each pair's
        difference gives its stratum's share of the standard error.
        """
        t = self._evaluation_times(len(z), generator)
        noise = torch.randn(*t.shape, self.latent_size, generator=generator, device=z.device)
        error = self._prediction_error(z[:, None, None], t, noise)
        error = error - self._control_variate(t, noise)
        mean_terms = self.stratum_weights * error.mean(-1)
        parts = {
            "entropy": negative_entropy(q),
            "L_T": self._end_rate(z),
            "L_t": self.later_constant + mean_terms[:, 1:].sum(1),
            "L_0": self.first_constant + mean_terms[:, 0],
        }
        half_difference = self.stratum_weights * (error[..., 0] - error[..., 1]) / 2
        total = torch.stack([*parts.values()]).sum(0)
        return RateEstimate(total, parts, half_difference.square().sum(1).sqrt())

    @torch.no_grad()
    def sample(self, num_samples: int) -> Float[Tensor, "batch latent"]:
        """Ancestral samples: T steps from noise, each with the noise that the model has there."""
        z = torch.randn(num_samples, self.latent_size, device=self.alpha.device)
        for t in range(self.num_steps, 0, -1):
            noise_factor, z_factor, deviation = self.steps[t - 1]
            times = torch.full((num_samples,), t, device=z.device)
            mean = (z - noise_factor * self.network(z, times)) * z_factor
            z = mean + deviation * torch.randn_like(z)
        return z

    def _prediction_error(
        self,
        z: Float[Tensor, "*#shape latent"],
        t: Int[Tensor, "*shape"],
        noise: Float[Tensor, "*shape latent"],
    ) -> Float[Tensor, "*shape"]:
        z_t = self.alpha[t][..., None] * z + self.sigma[t][..., None] * noise
        error: Tensor = noise - self.network(z_t, t)
        return error.square().sum(-1)

    def _control_variate(
        self, t: Int[Tensor, "*shape"], noise: Float[Tensor, "*shape latent"]
    ) -> Float[Tensor, "*shape"]:
        # Zero in expectation: the part of the error that comes from the length of the noise alone,
        # as it is for the best network of z_0 ~ N(0, I). It leaves a seventh of the variance.
        return self.alpha[t] ** 4 * (noise.square().sum(-1) - self.latent_size)

    def _end_rate(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, " batch"]:
        return self.end_weight * z.square().sum(-1) + self.end_constant

    def _training_times(self, num_images: int, device: torch.device) -> Int[Tensor, " batch"]:
        # Systematic over the batch: every time has its exact share, each image is unbiased.
        u = torch.rand(1, device=device) + torch.arange(num_images, device=device)
        return torch.bucketize(u / num_images, self.quantiles, right=True)

    def _evaluation_times(
        self, num_images: int, generator: torch.Generator
    ) -> Int[Tensor, "batch strata 2"]:
        device = self.quantiles.device
        u = torch.rand(num_images, LATER_STRATA, 2, generator=generator, device=device)
        share = (u + torch.arange(LATER_STRATA, device=device)[:, None]) / LATER_STRATA
        begin = self.quantiles[1]
        later = torch.bucketize(begin + (1 - begin) * share, self.quantiles, right=True)
        return torch.cat([later.new_ones(num_images, 1, 2), later], dim=1)

    def _tabulate_marginals(self, schedule: BetaSchedule) -> None:
        alphas_bar = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alphas_bar])
        self.register_buffer("alpha", alphas_bar.sqrt().float(), persistent=False)
        self.register_buffer("sigma", (1 - alphas_bar).sqrt().float(), persistent=False)
        end, d = alphas_bar[-1].item(), self.latent_size
        self.end_weight = end / 2
        self.end_constant = -d / 2 * (end + math.log1p(-end))

    def _tabulate_weights(
        self, schedule: BetaSchedule, variances: Float64[Tensor, " time"]
    ) -> None:
        betas, d = schedule.betas, self.latent_size
        weights = betas**2 / (2 * variances * (1 - betas) * (1 - schedule.alphas_bar))
        r = (schedule.posterior_variances / variances)[1:]
        self.first_weight, self.later_weight = weights[0].item(), weights[1:].sum().item()
        stratum_weights = [self.first_weight] + [self.later_weight / LATER_STRATA] * LATER_STRATA
        self.register_buffer("stratum_weights", torch.tensor(stratum_weights), persistent=False)
        self.first_constant = d / 2 * math.log(2 * math.pi * variances[0].item())
        self.later_constant = d / 2 * (r - 1 - r.log()).sum().item()
        # Where the share of each t begins: as many of these are <= u as the time that u means.
        quantiles = (weights.cumsum(0) - weights) / weights.sum()
        self.register_buffer("quantiles", quantiles.float(), persistent=False)

    def _tabulate_steps(self, schedule: BetaSchedule, variances: Float64[Tensor, " time"]) -> None:
        noise_factors = schedule.betas / (1 - schedule.alphas_bar).sqrt()
        z_factors = (1 - schedule.betas).rsqrt()
        self.steps = torch.stack([noise_factors, z_factors, variances.sqrt()], dim=1).tolist()


class NoiseNetwork(nn.Module):
    """ε_φ(z_t, t), the noise in z_t: an MLP that sees z_t beside a sinusoidal embedding of t."""

    embedding: Float[Tensor, "times embedding"]

    def __init__(self, config: DiffusionPriorConfig, latent_size: int) -> None:
        """`num_layers` hidden layers of `hidden_size`."""
        super().__init__()
        times = torch.arange(config.beta_schedule.num_steps + 1)
        embedding = time_embedding(times, config.time_embedding_size)
        self.register_buffer("embedding", embedding, persistent=False)
        width = latent_size + config.time_embedding_size
        layers: list[nn.Module] = []
        for _ in range(config.num_layers):
            layers += [nn.Linear(width, config.hidden_size), nn.SiLU()]
            width = config.hidden_size
        self.layers = nn.Sequential(*layers, nn.Linear(width, latent_size))

    def forward(
        self, z_t: Float[Tensor, "*shape latent"], t: Int[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape latent"]:
        """The predicted noise, of unit variance where z_t is nothing else."""
        noise: Tensor = self.layers(torch.cat([z_t, self.embedding[t]], dim=-1))
        return noise


def time_embedding(t: Int[Tensor, " times"], size: int) -> Float[Tensor, "times embedding"]:
    """Half cosines, half sines of t; angular periods from 1 towards 1e4 (Vaswani et al. 2017)."""
    share = torch.arange(size // 2, dtype=torch.float64) / (size // 2)
    angles = t[:, None] * LONGEST_PERIOD**-share
    return torch.cat([angles.cos(), angles.sin()], dim=-1).float()


def _reverse_variances(
    config: DiffusionPriorConfig, schedule: BetaSchedule
) -> Float64[Tensor, " time"]:
    if config.variance == "beta":
        return schedule.betas
    return torch.cat([schedule.betas[:1], schedule.posterior_variances[1:]])
