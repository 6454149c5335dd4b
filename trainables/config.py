"""The choice that defines one trial, as plain values: no torch here.

A `TrialConfig` is parsed once, where it enters, and trusted from there on. Every field has a
bound, an unknown field is an error, and a config never changes.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Base of all configs: immutable, finite numbers only, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ImageFormat(Frozen):
    """What every image of a data set looks like: uint8 values in 0 … num_levels - 1."""

    channels: Annotated[int, Field(ge=1, le=4)]
    size: Annotated[int, Field(ge=4, le=1024)]
    num_levels: Annotated[int, Field(ge=2, le=256)] = 256

    @property
    def num_dimensions(self) -> int:
        """D, the number of values in one image."""
        return self.channels * self.size**2


KNOWN_FORMATS = {
    "digits": ImageFormat(channels=1, size=8, num_levels=17),
    "cifar10": ImageFormat(channels=3, size=32),
    "celeba": ImageFormat(channels=3, size=64),
}


class DataConfig(Frozen):
    """Which images a trial sees.

    `num_images` takes a fixed, seeded subset of the whole set, the same share of each split.
    `fingerprint`, where given, must be that of the data found.
    """

    dataset: Slug
    format: ImageFormat
    num_images: PositiveInt | None = None
    split_seed: int = 0
    fingerprint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_format(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("format") is None:
            name = values.get("dataset")
            if name in KNOWN_FORMATS:
                return {**values, "format": KNOWN_FORMATS[name]}
        return values


class BetaScheduleConfig(Frozen):
    """The noise schedule of a diffusion.

    `linear` runs from 1e-4 to 0.02 at T = 1000 and is rescaled by 1000/T (Ho et al. 2020);
    `cosine` follows Nichol & Dhariwal 2021.
    """

    kind: Literal["linear", "cosine"] = "linear"
    num_steps: PositiveInt = 1000

    @model_validator(mode="after")
    def _betas_stay_below_one(self) -> "BetaScheduleConfig":
        if self.kind == "linear" and self.num_steps <= 20:
            raise ValueError(
                "a linear beta schedule needs num_steps > 20, because rescaled by 1000/T its last"
                f" beta is 20/T, which must stay below 1; got num_steps={self.num_steps}"
            )
        if self.kind == "cosine" and self.num_steps < 2:
            raise ValueError(f"a cosine beta schedule needs num_steps >= 2, got {self.num_steps}")
        return self


class GaussianPriorConfig(Frozen):
    """The standard normal prior, N(0, I)."""

    kind: Literal["gaussian"] = "gaussian"


class FlowPriorConfig(Frozen):
    """A normalizing flow of affine autoregressive steps (the paper's NF: three of them)."""

    kind: Literal["flow"] = "flow"
    num_transforms: Annotated[int, Field(ge=1, le=32)] = 3
    hidden_size: Annotated[int, Field(ge=1, le=4096)] = 300
    num_layers: Annotated[int, Field(ge=1, le=16)] = 4


class DiffusionPriorConfig(Frozen):
    """A denoising diffusion over the latents (DDPM, Ho et al. 2020).

    `variance` is that of the reverse transitions: `beta` (β_t) or `posterior` (β̃_t, with β_1 at
    t = 1).
    """

    kind: Literal["diffusion"] = "diffusion"
    beta_schedule: BetaScheduleConfig = BetaScheduleConfig()
    variance: Literal["beta", "posterior"] = "beta"
    hidden_size: Annotated[int, Field(ge=1, le=4096)] = 300
    num_layers: Annotated[int, Field(ge=1, le=16)] = 3
    time_embedding_size: Annotated[int, Field(ge=2, le=1024, multiple_of=2)] = 100


PriorConfig = Annotated[
    GaussianPriorConfig | FlowPriorConfig | DiffusionPriorConfig, Field(discriminator="kind")
]
PRIOR_KINDS = ("gaussian", "flow", "diffusion")


class LikelihoodConfig(Frozen):
    """p(x|z), a Gaussian around the decoder's output on dequantised images in [-1, 1].

    `scale` is its standard deviation, or `learned`: one value for all pixels, never below
    `scale_floor`.
    """

    kind: Literal["gaussian"] = "gaussian"
    scale: PositiveFloat | Literal["learned"] = "learned"
    scale_floor: PositiveFloat = 0.01


class NetworkConfig(Frozen):
    """Width of encoder and decoder: channels at full resolution, doubled at each halving."""

    num_channels: Annotated[int, Field(ge=1, le=1024)] = 32


class KLAnnealingConfig(Frozen):
    """Weight of the rate during training (Bowman et al. 2016; cyclical: Fu et al. 2019).

    `warmup` is the share of training (of a cycle) after which the weight is 1.
    """

    kind: Literal["none", "linear", "cyclical", "sigmoid"] = "none"
    warmup: Annotated[float, Field(gt=0, le=1)] = 0.25
    num_cycles: Annotated[int, Field(ge=1, le=100)] = 4


class OptimizerConfig(Frozen):
    """Adam, with the gradient norm clipped at `gradient_clip` where given."""

    learning_rate: PositiveFloat = 5e-4
    batch_size: PositiveInt = 100
    gradient_clip: PositiveFloat | None = None


class FIDConfig(Frozen):
    """The feature space and the number of samples of a Fréchet distance.

    `features` is `classifier` (a small one, trained once on the train part of the data) or
    `inception` (torch-fidelity's, needs its `weights`).
    """

    features: Literal["classifier", "inception"] = "classifier"
    num_samples: Annotated[int, Field(ge=2)] = 1000
    classifier_epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    weights: str | None = None


class TrialConfig(Frozen):
    """Everything that one trial's numbers follow from (beside device and versions)."""

    objective: Literal["exact"] = "exact"
    data: DataConfig
    latent_size: Annotated[int, Field(ge=1, le=65536)]
    prior: PriorConfig
    likelihood: LikelihoodConfig = LikelihoodConfig()
    network: NetworkConfig = NetworkConfig()
    kl_annealing: KLAnnealingConfig = KLAnnealingConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    fid: FIDConfig = FIDConfig()
    max_epochs: PositiveInt
    rungs: tuple[PositiveInt, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _rungs_rise_below_the_end(self) -> "TrialConfig":
        rungs = (*self.rungs, self.max_epochs)
        if any(low >= high for low, high in pairwise(rungs)):
            raise ValueError(f"rungs must rise and stay below max_epochs, got {rungs}")
        return self

    @property
    def evaluated_epochs(self) -> tuple[int, ...]:
        """The epochs that end with a FID: every rung and the last one."""
        return (*self.rungs, self.max_epochs)
