"""The variational autoencoder: two halves of one bound.

    log p(x) >= elbo = -(rate + distortion)
    distortion = E_q[-log p(x|z)]
    rate       = KL(q(z|x) || p(z)), or an upper bound on it

Kingma & Welling 2014, arXiv 1312.6114; the two halves: Alemi et al. 2018, arXiv 1711.00464.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from trainables.config import TrialConfig
from trainables.free_bits import EncoderGate
from trainables.likelihood import Likelihood, build_likelihood
from trainables.networks import build_decoder, build_encoder
from trainables.priors import Prior, RateEstimate, build_prior


@dataclass(frozen=True, slots=True)
class Elbo:
    """Both halves of the bound on log p(x), in nats per image; lower is better for each.

    Attributes:
        rate: KL(q(z|x) || p(z)) or its upper bound.
        distortion: E_q[-log p(x|z)].
        auxiliary: what trains the prior alone, beside the bound; zero for most.
        rate_by_dimension: the rate of each latent dimension, where the prior factorises.
    """

    rate: Float[Tensor, " batch"]
    distortion: Float[Tensor, " batch"]
    auxiliary: Float[Tensor, ""] = field(default_factory=lambda: torch.zeros(()))
    rate_by_dimension: Float[Tensor, "batch latent"] | None = None

    @property
    def value(self) -> Float[Tensor, " batch"]:
        """The bound itself, in nats per image; higher is better."""
        return -(self.rate + self.distortion)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The bound of a batch, evaluated with little variance, and what it was evaluated from.

    Attributes:
        rate: the prior's rate by terms, nats per image.
        distortion: E_q[-log p(x|z)], nats per image.
        posterior: q(z|x) of each image.
        z: the sample of each.
        rate_by_dimension: the rate of each latent dimension, where the prior factorises.
    """

    rate: RateEstimate
    distortion: Float[Tensor, " batch"]
    posterior: Independent[Normal]
    z: Float[Tensor, "batch latent"]
    rate_by_dimension: Float[Tensor, "batch latent"] | None

    @property
    def elbo(self) -> Float[Tensor, " batch"]:
        """The bound itself, in nats per image; higher is better."""
        return -(self.rate.total + self.distortion)


class VAE(nn.Module):
    """An encoder, a likelihood and a prior. Images are in [-1, 1]."""

    def __init__(self, encoder: nn.Module, likelihood: Likelihood, prior: Prior) -> None:
        """Joins the three; the kind of each was chosen before."""
        super().__init__()
        self.encoder = encoder
        self.likelihood = likelihood
        self.prior = prior

    def posterior(self, x: Float[Tensor, "batch channels height width"]) -> Independent[Normal]:
        """q(z|x), a diagonal Gaussian for each image."""
        loc, scale = self.encoder(x)
        return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)

    def elbo(
        self,
        x: Float[Tensor, "batch channels height width"],
        gate: EncoderGate | None = None,
    ) -> Elbo:
        """One-sample estimate of both halves of the bound, in nats per image.

        Args:
            x: the images.
            gate: what the rate's gradient passes on its way to the encoder, if anything.
        """
        q = self.posterior(x)
        z = q.rsample()
        of_rate = (q, z) if gate is None else gate.guard(q, z)
        return Elbo(
            rate=self.prior.rate(*of_rate),
            distortion=-self.likelihood(z).log_prob(x),
            auxiliary=self.prior.auxiliary_loss(z.detach()),
            rate_by_dimension=self.prior.rate_by_dimension(q),
        )

    @torch.no_grad()
    def evaluate(
        self,
        x: Float[Tensor, "batch channels height width"],
        generator: torch.Generator,
        prior_generator: torch.Generator | None = None,
    ) -> Evaluation:
        """The bound with little variance, for validation and test.

        Args:
            x: the images.
            generator: the source of z's noise.
            prior_generator: the source of the prior's own noise; by default it goes on with
                `generator`.
        """
        q = self.posterior(x)
        noise = torch.randn(q.mean.shape, generator=generator, device=x.device)
        z = q.base_dist.loc + q.base_dist.scale * noise
        return Evaluation(
            rate=self.prior.evaluate_rate(q, z, prior_generator or generator),
            distortion=-self.likelihood(z).log_prob(x),
            posterior=q,
            z=z,
            rate_by_dimension=self.prior.rate_by_dimension(q),
        )

    @torch.no_grad()
    def sample(self, num_samples: int) -> Float[Tensor, "batch channels height width"]:
        """Mean images of latents drawn from the prior, in [-1, 1]."""
        return self.likelihood.mean(self.prior.sample(num_samples))

    @torch.no_grad()
    def resample(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mean images at a draw from each posterior, in [-1, 1]."""
        return self.likelihood.mean(self.posterior(x).sample())

    @torch.no_grad()
    def reconstruct(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mean images at the centre of each posterior, in [-1, 1]."""
        return self.likelihood.mean(self.posterior(x).mean)


def build_vae(config: TrialConfig) -> VAE:
    """The model of a trial; its weights come from torch's global random stream."""
    image, latent_size = config.data.format, config.latent_size
    encoder = build_encoder(
        config.network,
        image,
        latent_size,
        has_exponential_scale=bool(config.departures.exponential_scale),
    )
    likelihood = build_likelihood(
        config.likelihood,
        image,
        lambda num_outputs: build_decoder(config.network, image, latent_size, num_outputs),
    )
    prior = build_prior(config.prior, latent_size, encoder, config.departures, config.revision)
    return VAE(encoder, likelihood, prior)
