"""A denoising diffusion over the latents as prior: a chain of Gaussians from noise to z_0.

    p(z_T) = N(0, I),   p(z_{t-1} | z_t) = N(μ(z_t, t), σ_t² I)
    μ(z_t, t) = (z_t - β_t / √(1 - ᾱ_t) ε̂(z_t, t)) / √(1 - β_t)
    z_t = √ᾱ_t z_0 + √(1 - ᾱ_t) ε

    rate = -H[q(z_0|x)] + L_T + Σ_{t=2…T} L_{t-1} + L_0  >=  KL(q(z_0|x) || p(z_0))
    L_T     = KL(q(z_T|z_0) || N(0, I)) = ½ (ᾱ_T ‖z_0‖² - d (ᾱ_T + log(1 - ᾱ_T)))
    L_{t-1} = KL(q(z_{t-1}|z_t, z_0) || p(z_{t-1}|z_t)) = price_t + w_t ‖ε - ε̂‖²
    L_0     = -log p(z_0|z_1)                           = price_1 + w_1 ‖ε - ε̂‖²

The price and the weight are those of σ_t², see `trainables.diffusion.reverse_variance`. The sum
over t is estimated at times drawn with probability p_t, as E[L_{t-1} / p_t], see
`trainables.diffusion.time_law`. A price that no input changes is summed, not drawn.

    simple    auxiliary = E‖ε - ε̂‖²,   t uniform             for the denoiser alone
              + 0.001 Σ_t L_{t-1} with ε̂ held fixed          where it learns σ_t² too

The rate's gradient then reaches z but not the denoiser.

Ho et al. 2020, arXiv 2006.11239; over latents: Wehenkel & Louppe 2021, arXiv 2106.15671, eq. 16
to 19; the last line: Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 16.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Independent, Normal

from trainables.config import NEWEST_REVISION, DiffusionPriorConfig
from trainables.diffusion.chain import Chain, exact_chain
from trainables.diffusion.reverse_process import ReverseProcess
from trainables.diffusion.step import build_steps
from trainables.diffusion.time_law import SecondMomentLaw, TimeLaw, matched_shares
from trainables.diffusion.trajectory import trajectory_log_weight
from trainables.priors.prior import Prior, RateEstimate, negative_entropy

LATER_STRATA = 8
BOUND_SHARE = 0.001
TIMES_AT_ONCE = 50


class DiffusionPrior(Prior):
    """A DDPM: no density, but a bound on it. Entry t of its tables is time t, 0 is z_0 itself."""

    multiplicity: Float[Tensor, " times"]

    def __init__(
        self,
        config: DiffusionPriorConfig,
        latent_size: int,
        chain: Chain | None = None,
        entropy_departure: float = 0.0,
        revision: int = NEWEST_REVISION,
    ) -> None:
        """A chain and the network that walks it back.

        Args:
            config: their kinds and numbers.
            latent_size: number of dimensions of z.
            chain: that of the bound by default.
            entropy_departure: what -H[q] is too high by, nats; zero but for the published code.
            revision: of the config; in the first, evaluation draws t by the weight alone.
        """
        super().__init__(latent_size)
        chain = chain or exact_chain(config.beta_schedule)
        self.entropy_departure = entropy_departure
        self.schedule = chain.schedule
        self.end_signal = chain.schedule.end_signal
        self.training_lag = chain.training_lag
        self.process = ReverseProcess(config, chain.schedule, latent_size)
        self.steps = build_steps(config.sampler, chain.schedule)
        self.register_buffer("multiplicity", chain.multiplicity.float(), persistent=False)
        self.is_simple = config.weighting == "simple"
        self.learns_variance = config.variance == "learned"
        self._build_laws(chain, config, revision)

    def rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        """The bound above in nats per image, with one time and one noise for each image."""
        t = self._draw(self.training_law, len(z))
        error, log_ratio = self._errors(z, t, torch.randn_like(z), frozen=self.is_simple)
        cost = self._cost(t, error, log_ratio)
        drawn = self.training_law.inverse_probability[t] * cost
        rate = self._entropy(q) + self._end_rate(q, z) + self._constants().sum() + drawn
        if self.training:
            self.process.variance.observe(t, error.detach())
            self.training_law.observe(t, cost.detach())
        return rate

    def evaluate_rate(
        self,
        q: Independent[Normal],
        z: Float[Tensor, "batch latent"],
        generator: torch.Generator,
    ) -> RateEstimate:
        """The bound with several times and noises for each image, by terms.

        Two draws go to each stratum: t = 1, and eight of equal probability over t = 2 … T. Each
        pair's difference gives its stratum's share of the standard error.
        """
        t, factor = self._evaluation_times(len(z), generator)
        noise = torch.randn(*t.shape, self.latent_size, generator=generator, device=z.device)
        cost = self._cost(t, *self._errors(z[:, None, None], t, noise))
        cost = factor * (cost - self._control_variate(t, noise))
        first_constant, later_constant = self._constants()
        parts = {
            "entropy": self._entropy(q),
            "L_T": self._end_rate(q, z),
            "L_t": later_constant + cost[:, 1:].mean(-1).sum(1),
            "L_0": first_constant + cost[:, 0].mean(-1),
        }
        half_difference = (cost[..., 0] - cost[..., 1]) / 2
        total = torch.stack([*parts.values()]).sum(0)
        return RateEstimate(total, parts, half_difference.square().sum(1).sqrt())

    def log_weight(
        self, z: Float[Tensor, "batch latent"], generator: torch.Generator
    ) -> Float[Tensor, " batch"]:
        """Log p(z_{0…T}) - log q(z_{1…T} | z_0) along one drawn trajectory, in nats."""
        return trajectory_log_weight(self.process, self.schedule, z, generator)

    def auxiliary_loss(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
        """What trains the denoiser under `simple`, the mean over the batch; else zero."""
        if not self.is_simple:
            return z.new_zeros(())
        t = self._draw(self.uniform_law, len(z))
        error, log_ratio = self._errors(z, t, torch.randn_like(z))
        loss = error.sum(-1)
        if self.learns_variance:
            cost = self._cost(t, error.detach(), log_ratio)
            loss = loss + BOUND_SHARE * self.uniform_law.inverse_probability[t] * cost
        return loss.mean()

    @torch.no_grad()
    def measure_errors(self, z: Float[Tensor, "batch latent"], generator: torch.Generator) -> None:
        """Measures the network's errors at every t, where σ_t² follows from them.

        Args:
            z: samples of the posteriors of some images.
            generator: the only source of noise.
        """
        for first in range(1, len(self.multiplicity), TIMES_AT_ONCE):
            t = torch.arange(first, min(first + TIMES_AT_ONCE, len(self.multiplicity)))
            shape = (len(t), *z.shape)
            noise = torch.randn(shape, generator=generator, device=z.device)
            times = t.to(z.device)[:, None].expand(shape[:2])
            error, _ = self._errors(z, times, noise)
            self.process.variance.measure(times[:, 0], error.mean((1, 2)))

    @torch.no_grad()
    def sample(self, num_samples: int) -> Float[Tensor, "batch latent"]:
        """Noise, carried back to time 0 by the steps of the config's sampler."""
        z = torch.randn(num_samples, self.latent_size, device=self.multiplicity.device)
        for step in self.steps:
            mean, deviation = self.process.transition(z, step)
            z = mean + deviation * torch.randn_like(z)
        return z

    def _errors(
        self,
        z: Float[Tensor, "*#shape latent"],
        t: Int[Tensor, "*shape"],
        noise: Float[Tensor, "*shape latent"],
        *,
        frozen: bool = False,
    ) -> tuple[Float[Tensor, "*shape latent"], Float[Tensor, "*shape #latent"]]:
        z_t = self.process.noised(z, t, noise)
        prediction = self.process.predict(z_t, t, lag=self.training_lag, frozen=frozen)
        return (noise - prediction.noise).square(), prediction.log_ratio

    def _cost(
        self,
        t: Int[Tensor, "*shape"],
        error: Float[Tensor, "*shape latent"],
        log_ratio: Float[Tensor, "*shape #latent"],
    ) -> Float[Tensor, "*shape"]:
        variance = self.process.variance
        by_dimension = variance.drawn_price(t, log_ratio) + variance.weight(t, log_ratio) * error
        return self.multiplicity[t] * by_dimension.sum(-1)

    def _constants(self) -> Float[Tensor, "2"]:
        """What of L_0 and of all L_{t-1} no draw changes, nats."""
        prices = self.latent_size * self.multiplicity * self.process.variance.fixed_price()
        return torch.stack([prices[1], prices[2:].sum()])

    def _usual_weight(self) -> Float[Tensor, " times"]:
        return self.process.variance.usual_weight()

    def _control_variate(
        self, t: Int[Tensor, "*shape"], noise: Float[Tensor, "*shape latent"]
    ) -> Float[Tensor, "*shape"]:
        # Zero in expectation: the part of the error that comes from the length of the noise alone,
        # as it is for the best network of z_0 ~ N(0, I). It leaves a seventh of the variance.
        weight = (self.multiplicity * self._usual_weight() * self.process.alpha**4)[t]
        return weight * (noise.square().sum(-1) - self.latent_size)

    def _entropy(self, q: Independent[Normal]) -> Float[Tensor, " batch"]:
        return negative_entropy(q) + self.entropy_departure

    def _end_rate(
        self, q: Independent[Normal], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, " batch"]:
        constant = self.latent_size * (self.end_signal + math.log1p(-self.end_signal))
        return (self.end_signal * z.square().sum(-1) - constant) / 2

    def _build_laws(self, chain: Chain, config: DiffusionPriorConfig, revision: int) -> None:
        # Fixed from here on, but for the second moment's: a law that followed a variance as it
        # changes could stop drawing the very times whose variance is far off.
        weight = chain.multiplicity * self._usual_weight().double()
        alphas_bar = torch.cat([weight.new_ones(1), chain.schedule.alphas_bar])
        matched = matched_shares(config.prediction, weight, alphas_bar, chain.multiplicity)
        self.is_systematic = config.times != "uniform"
        self.uniform_law = TimeLaw(chain.multiplicity)
        match config.times:
            case "matched":
                self.training_law = TimeLaw(matched)
            case "importance":
                self.training_law = TimeLaw(weight)
            case "loss_second_moment":
                self.training_law = SecondMomentLaw(chain.multiplicity)
            case _:
                self.training_law = TimeLaw(chain.multiplicity)
        later = weight.clone() if revision == 1 else matched
        later[1] = 0
        self.later_law = TimeLaw(later)
        self.num_strata = min(LATER_STRATA, len(self.later_law.times))

    def _draw(self, law: TimeLaw, num_images: int) -> Int[Tensor, " batch"]:
        return law.draw_systematic(num_images) if self.is_systematic else law.draw(num_images)

    def _evaluation_times(
        self, num_images: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, "batch strata 2"], Float[Tensor, "batch strata 2"]]:
        """The times, and the factor with which the cost of each counts in its stratum."""
        later = self.later_law.draw_strata(num_images, self.num_strata, generator)
        factor = self.later_law.inverse_probability[later] / max(self.num_strata, 1)
        first = later.new_ones(num_images, 1, 2)
        return torch.cat([first, later], dim=1), torch.cat([first.to(factor), factor], dim=1)
