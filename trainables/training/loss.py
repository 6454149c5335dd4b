"""What training lowers: the bound, with its rate weighed while z is still to be learned.

    loss = distortion + w · rate + auxiliary

w follows the KL annealing. Free bits keep the rate's gradient from the encoder, see
`trainables.free_bits`. In configs of revision 1 they clamp the rate itself, Σ_i max(λ, rate_i) of
the batch's mean where it factorises, else max(λ d, rate), and so stop a learned prior, too.
"""

from jaxtyping import Float
from torch import Tensor

from trainables.config import KLAnnealingConfig, TrialConfig
from trainables.error import InputError
from trainables.free_bits import EncoderGate
from trainables.vae import Elbo


def build_gate(config: TrialConfig) -> EncoderGate | None:
    """The gate of a config's free bits; None where the rate costs the encoder all that it is."""
    has_gate = config.kl_annealing.free_bits > 0 and config.revision > 1
    return EncoderGate() if has_gate else None


def training_loss(
    elbo: Elbo, config: TrialConfig, kl_weight: float, gate: EncoderGate | None
) -> Float[Tensor, ""]:
    """The loss of a batch, nats per image; lower is better.

    Args:
        elbo: both halves of its bound.
        config: of the trial.
        kl_weight: w above.
        gate: what the rate's gradient passes on its way to the encoder; it is set here.

    Raises:
        InputError: free bits by dimension, and the prior does not factorise.
    """
    annealing, latent_size = config.kl_annealing, config.latent_size
    if gate is not None:
        _set_gate(gate, elbo, annealing, latent_size)
    is_clamped = annealing.free_bits > 0 and gate is None
    rate = (
        _clamped_rate(elbo, annealing.free_bits, latent_size) if is_clamped else elbo.rate.mean()
    )
    return elbo.distortion.mean() + kl_weight * rate + elbo.auxiliary


def _set_gate(
    gate: EncoderGate, elbo: Elbo, annealing: KLAnnealingConfig, latent_size: int
) -> None:
    if annealing.free_bits_of == "total":
        gate.open_above(annealing.free_bits * latent_size, elbo.rate.mean())
    elif elbo.rate_by_dimension is None:
        raise InputError(
            "kl_annealing.free_bits_of dimension needs a prior that factorises; use total"
        )
    else:
        gate.open_above(annealing.free_bits, elbo.rate_by_dimension.mean(0))


def _clamped_rate(elbo: Elbo, free_bits: float, latent_size: int) -> Float[Tensor, ""]:
    if elbo.rate_by_dimension is None:
        return elbo.rate.mean().clamp(min=free_bits * latent_size)
    return elbo.rate_by_dimension.mean(0).clamp(min=free_bits).sum()
