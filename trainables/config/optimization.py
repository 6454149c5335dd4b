"""How a model is trained, as plain values."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from trainables.config.base import Frozen


class KLAnnealingConfig(Frozen):
    """Weight of the rate during training (Bowman et al. 2016; cyclical: Fu et al. 2019).

    `warmup` is the share of training (of a cycle) after which the weight is `final_weight`: 1 is
    the bound, any other value a β-VAE (Higgins et al. 2017). Below `free_bits` nats a latent
    dimension the rate costs the encoder nothing (Kingma et al. 2016), while the prior goes on to
    learn: latent_size times as much of the `total`, or each `dimension` by itself, which only a
    prior that factorises has.
    """

    kind: Literal["none", "linear", "cyclical", "sigmoid"] = "none"
    warmup: Annotated[float, Field(gt=0, le=1)] = 0.25
    num_cycles: Annotated[int, Field(ge=1, le=100)] = 4
    final_weight: NonNegativeFloat = 1.0
    free_bits: NonNegativeFloat = 0.0
    free_bits_of: Literal["total", "dimension"] = "total"


class LearningRateScheduleConfig(Frozen):
    """How the learning rate falls.

    `plateau` multiplies it by `factor` once the loss watched has not fallen by the share
    `threshold` for more than `patience` epochs; `cosine` lets it fall to zero along half a cosine
    over all epochs.
    """

    kind: Literal["none", "plateau", "cosine"] = "none"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 10
    threshold: Annotated[float, Field(ge=0, lt=1)] = 1e-3
    watch: Literal["validation", "train"] = "validation"


class OptimizerConfig(Frozen):
    """Adam, with the gradient norm clipped at `gradient_clip` where given.

    With `ema_decay` an exponential moving average of the weights is what is evaluated.
    """

    learning_rate: PositiveFloat = 5e-4
    batch_size: PositiveInt = 100
    gradient_clip: PositiveFloat | None = None
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    schedule: LearningRateScheduleConfig = LearningRateScheduleConfig()


class Departures(Frozen):
    """Where a trial departs from its bound, as the published code does.

    Each can be switched alone; what is not said follows the objective: all under `published`,
    none under `exact`. Those from `sum_of_squares` to `latent_widths` replace a field of the
    config, which then says so. The last five leave the bound a bound.

    Attributes:
        gaussian_kl: the Gaussian prior's rate is -s/2 + μ²/2 + exp(s)/2, s the log of the scale.
        diffusion_weight: the diffusion's terms weigh T, not 1/(2 σ_t²), and lack their constants.
        index_shift: the network is told t - 1 in training and t in sampling; t is 1 … T - 1.
        entropy_constant: learned priors have log(2 √(πe)) once for (d/2) log(2πe).
        sum_of_squares: the distortion is Σ (x̂ - x)².
        gradient_clip: the gradient norm is clipped at 0.25.
        plateau: the learning rate is halved when the training loss stops falling by 10 %.
        latent_widths: the encoder's widths follow the latent size.
        flow_clamp: the flow's shifts are clamped to ±5 and its log scales to -5 … 2.
        exponential_scale: the posterior's scale is exp(s) of the encoder's output s.
    """

    gaussian_kl: bool | None = None
    diffusion_weight: bool | None = None
    index_shift: bool | None = None
    entropy_constant: bool | None = None
    sum_of_squares: bool | None = None
    gradient_clip: bool | None = None
    plateau: bool | None = None
    latent_widths: bool | None = None
    flow_clamp: bool | None = None
    exponential_scale: bool | None = None
