"""The priors' configs: a union on `kind` that a file of a user's own may extend.

A prior's config is a class with a `kind` of its own, registered by `@register_prior`; whoever
defines one outside this file also gives it a `build`, the only place that may import torch.
"""

import difflib
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    Field,
    PlainValidator,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticKnownError

from trainables.config.base import Fraction, Frozen

Registered = TypeVar("Registered", bound="PriorConfigBase")
_REGISTERED: "dict[str, type[PriorConfigBase]]" = {}
_HiddenSize = Annotated[int, Field(ge=1, le=4096)]
_NumLayers = Annotated[int, Field(ge=1, le=16)]


class PriorConfigBase(Frozen):
    """Base of every prior's config; its `kind` tells it from the others."""

    kind: str

    def build(self, latent_size: int, posterior: Any = None) -> Any:
        """The `trainables.priors.Prior` that this config describes, for priors of a user's own.

        Args:
            latent_size: number of dimensions of z.
            posterior: the encoder, for priors that need it.
        """
        raise NotImplementedError(f"the prior {self.kind} has no build function")


def register_prior(config: type[Registered]) -> type[Registered]:
    """Makes a config class one of the priors that a space may name, under its `kind`.

    The same class may be registered again, as happens when its file is loaded twice.

    Raises:
        ValueError: the class has no `kind` with a default, or another prior has the same.
    """
    field = config.model_fields.get("kind")
    kind = field.default if field else None
    if not isinstance(kind, str):
        raise ValueError(f'{config.__name__} needs a field kind: Literal["…"] = "…"')
    taken = _REGISTERED.get(kind)
    if taken is not None and taken.__qualname__ != config.__qualname__:
        raise ValueError(f"the kind {kind!r} is that of {taken.__qualname__} already")
    _REGISTERED[kind] = config
    return config


def prior_kinds() -> tuple[str, ...]:
    """The kinds of all priors known, in the order of registration."""
    return tuple(_REGISTERED)


def prior_config_class(kind: str) -> "type[PriorConfigBase]":
    """The config class registered under a kind.

    Raises:
        KeyError: there is none.
    """
    return _REGISTERED[kind]


class BetaScheduleConfig(Frozen):
    """The noise schedule of a diffusion.

    `linear` runs from 1e-4 to 0.02 (Ho et al. 2020), `quadratic` between the same ends in the
    square root, `sigmoid` between them along the logistic function from -6 to 6; `cosine` follows
    Nichol & Dhariwal 2021. The ends are made for T = 1000: `rescale` multiplies every beta by
    1000/T, without it a shorter chain ends before all is noise, and pays for that in its bound.
    """

    kind: Literal["linear", "cosine", "quadratic", "sigmoid"] = "linear"
    num_steps: PositiveInt = 1000
    rescale: bool = True

    @model_validator(mode="after")
    def _betas_stay_below_one(self) -> "BetaScheduleConfig":
        if self.kind == "cosine":
            if self.num_steps < 2:
                raise ValueError(
                    f"a cosine beta schedule needs num_steps >= 2, got {self.num_steps}"
                )
        elif self.rescale and self.num_steps <= 20:
            raise ValueError(
                f"a {self.kind} beta schedule needs num_steps > 20, because rescaled by 1000/T its"
                f" last beta is 20/T, which must stay below 1; got num_steps={self.num_steps}"
            )
        return self


class SamplerConfig(Frozen):
    """How a diffusion draws samples.

    `ancestral` walks all T steps with the model's own variances. `ddim` (Song et al. 2021) takes
    `num_steps` of them, by default all, with `eta` times the noise of the posterior: 0 is
    deterministic given the start.
    """

    kind: Literal["ancestral", "ddim"] = "ancestral"
    num_steps: PositiveInt | None = None
    eta: Fraction = 0.0

    @model_validator(mode="after")
    def _ancestral_takes_every_step(self) -> "SamplerConfig":
        if self.kind == "ancestral" and self.num_steps is not None:
            raise ValueError(
                f"ancestral sampling takes all T steps, got num_steps={self.num_steps}; fewer"
                " need kind: ddim"
            )
        return self


@register_prior
class GaussianPriorConfig(PriorConfigBase):
    """The standard normal prior, N(0, I)."""

    kind: Literal["gaussian"] = "gaussian"


@register_prior
class FlowPriorConfig(PriorConfigBase):
    """A normalizing flow of affine autoregressive steps (the paper's NF: three of them)."""

    kind: Literal["flow"] = "flow"
    num_transforms: Annotated[int, Field(ge=1, le=32)] = 3
    hidden_size: _HiddenSize = 300
    num_layers: _NumLayers = 4


@register_prior
class DiffusionPriorConfig(PriorConfigBase):
    """A denoising diffusion over the latents (DDPM, Ho et al. 2020).

    `variance` is that of the reverse transitions: `beta` (β_t), `posterior` (β̃_t, with β_1 at
    t = 1), `analytic` (the best one for the network as it is, Bao et al. 2022) or `learned`
    (between the first two, Nichol & Dhariwal 2021). `prediction` is what the network says: the
    noise, z_0, or v (Salimans & Ho 2022). `weighting` of the denoiser's loss: `exact` is that of
    the bound; under `simple` (Ho et al. 2020, eq. 14) encoder and evaluation stay exact. `times`
    says how training draws t: one for each image uniformly, `stratified` over the batch, or in
    addition `matched` to the error that the prediction can leave, by the `loss_second_moment` of
    each t (Nichol & Dhariwal 2021), or by `importance`, in proportion to the weight alone, which
    under a cosine schedule is nearly always t = T. `network` is an MLP of `num_layers` hidden
    layers, or that many residual blocks.
    """

    kind: Literal["diffusion"] = "diffusion"
    beta_schedule: BetaScheduleConfig = BetaScheduleConfig()
    variance: Literal["beta", "posterior", "analytic", "learned"] = "beta"
    prediction: Literal["epsilon", "x0", "v"] = "v"
    weighting: Literal["exact", "simple"] = "exact"
    times: Literal["uniform", "stratified", "matched", "loss_second_moment", "importance"] = (
        "matched"
    )
    network: Literal["mlp", "residual"] = "mlp"
    hidden_size: _HiddenSize = 300
    num_layers: _NumLayers = 3
    time_embedding_size: Annotated[int, Field(ge=2, le=1024, multiple_of=2)] = 100
    sampler: SamplerConfig = SamplerConfig()

    @model_validator(mode="after")
    def _sampler_takes_no_more_steps_than_there_are(self) -> "DiffusionPriorConfig":
        steps, length = self.sampler.num_steps, self.beta_schedule.num_steps
        if steps is not None and steps > length:
            raise ValueError(f"the sampler takes {steps} steps of a chain that has {length}")
        return self


def parse_prior(values: object) -> PriorConfigBase:
    """A prior's config by its `kind`; its errors name the kind, as those of a union do.

    Raises:
        ValidationError: the values do not fit the kind.
    """
    if isinstance(values, PriorConfigBase):
        return values
    kind = values.get("kind") if isinstance(values, dict) else None
    if kind is None:
        raise PydanticKnownError("union_tag_not_found", {"discriminator": "kind"})
    if kind not in _REGISTERED:
        near = difflib.get_close_matches(str(kind), _REGISTERED, 1)
        known = near or list(_REGISTERED)
        context = {"discriminator": "kind", "tag": str(kind), "expected_tags": ", ".join(known)}
        raise PydanticKnownError("union_tag_invalid", context)
    try:
        return _REGISTERED[kind].model_validate(values)
    except ValidationError as error:
        raise ValidationError.from_exception_data(kind, _placed(error, kind)) from None


def _placed(error: ValidationError, kind: str) -> list[InitErrorDetails]:
    """The errors with the kind before their place, as pydantic has it for members of a union."""
    return [
        InitErrorDetails(
            type=detail["type"],
            loc=(kind, *detail["loc"]),
            input=detail["input"],
            ctx=detail.get("ctx", {}),
        )
        for detail in error.errors(include_url=False)
    ]


PriorConfig = Annotated[SerializeAsAny[PriorConfigBase], PlainValidator(parse_prior)]
