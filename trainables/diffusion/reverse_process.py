"""The transitions p(z_{t-1} | z_t) of a diffusion: Gaussians around what the network predicts.

    z_t = alpha_t z_0 + sigma_t ε,   alpha_t = √ᾱ_t,   sigma_t = √(1 - ᾱ_t)
    μ(z_t, t) = (z_t - β_t / sigma_t ε̂) / √(1 - β_t)

The network says ε̂ in the terms of `trainables.diffusion.denoiser`, and σ_t² where it is learned.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from trainables.beta_schedule import BetaSchedule
from trainables.config import DiffusionPriorConfig
from trainables.diffusion.denoiser import Denoiser, noise_from_output
from trainables.diffusion.reverse_variance import build_reverse_variance
from trainables.diffusion.step import Step


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says of z_t.

    Attributes:
        noise: ε̂.
        log_ratio: ρ of the reverse variance.
    """

    noise: Float[Tensor, "*shape latent"]
    log_ratio: Float[Tensor, "*shape #latent"]


class ReverseProcess(nn.Module):
    """A network and the variances it walks back with. Entry t of a table is time t, 0 is z_0."""

    alpha: Float[Tensor, " times"]
    sigma: Float[Tensor, " times"]

    def __init__(
        self, config: DiffusionPriorConfig, schedule: BetaSchedule, latent_size: int
    ) -> None:
        """A network of the config's kind for the times of a schedule."""
        super().__init__()
        self.latent_size, self.prediction = latent_size, config.prediction
        self.network: nn.Module = Denoiser(config, latent_size, schedule.num_steps)
        self.variance = build_reverse_variance(config.variance, schedule)
        alphas_bar = torch.cat([schedule.alphas_bar.new_ones(1), schedule.alphas_bar])
        self.register_buffer("alpha", alphas_bar.sqrt().float(), persistent=False)
        self.register_buffer("sigma", (1 - alphas_bar).sqrt().float(), persistent=False)

    def noised(
        self,
        z: Float[Tensor, "*#shape latent"],
        t: Int[Tensor, "*shape"],
        noise: Float[Tensor, "*shape latent"],
    ) -> Float[Tensor, "*shape latent"]:
        """z_t."""
        return self.alpha[t][..., None] * z + self.sigma[t][..., None] * noise

    def predict(
        self,
        z_t: Float[Tensor, "*shape latent"],
        t: Int[Tensor, "*shape"],
        *,
        lag: int = 0,
        frozen: bool = False,
    ) -> Prediction:
        """What the network says of z_t.

        Args:
            z_t: the states.
            t: their times.
            lag: how much earlier a time the network is told; zero but for the published code.
            frozen: whether gradients pass through the network but not into its parameters.
        """
        told = (t - lag).clamp(min=0)
        output = self._frozen_output(z_t, told) if frozen else self.network(z_t, told)
        said, of_variance = output[..., : self.latent_size], output[..., self.latent_size :]
        alpha_t, sigma_t = self.alpha[t][..., None], self.sigma[t][..., None]
        noise = noise_from_output(self.prediction, said, z_t, alpha_t, sigma_t)
        return Prediction(noise, self.variance.log_ratio(t, of_variance))

    def transition(
        self, z_t: Float[Tensor, "batch latent"], step: Step
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and standard deviation of where a step of a sampler leads."""
        t = torch.full((len(z_t),), step.time, device=z_t.device)
        prediction = self.predict(z_t, t)
        mean = step.of_z * z_t + step.of_noise * prediction.noise
        if step.deviation is not None:
            return mean, torch.full_like(mean, step.deviation)
        return mean, self.variance.deviation(t, prediction.log_ratio).expand_as(mean)

    def _frozen_output(
        self, z_t: Float[Tensor, "*shape latent"], t: Int[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape outputs"]:
        parameters = {name: p.detach() for name, p in self.network.named_parameters()}
        output: Tensor = functional_call(self.network, parameters, (z_t, t))
        return output
