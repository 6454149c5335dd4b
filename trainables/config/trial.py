"""The choice that defines one trial."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PositiveInt, model_validator

from trainables.config.base import Frozen
from trainables.config.data import KNOWN_FORMATS, DataConfig
from trainables.config.evidence import EvidenceConfig
from trainables.config.fid import FIDConfig, check_num_images
from trainables.config.model import (
    NETWORK_SIZES,
    GaussianLikelihoodConfig,
    LikelihoodConfig,
    NetworkConfig,
    PlainNetworkConfig,
)
from trainables.config.optimization import (
    Departures,
    KLAnnealingConfig,
    OptimizerConfig,
)
from trainables.config.prior import DiffusionPriorConfig, PriorConfig, PriorConfigBase
from trainables.config.revision import NEWEST_REVISION, as_stored, with_meaning_of_revision

Objective = Literal["exact", "published"]
# Which departures from the bound each prior of the paper has; the rest concern every prior.
_OF_PRIOR: dict[str, tuple[str, ...]] = {
    "gaussian": ("gaussian_kl",),
    "flow": ("entropy_constant", "flow_clamp"),
    "diffusion": ("diffusion_weight", "index_shift", "entropy_constant"),
}
_UNBOUND = ("gaussian_kl", "diffusion_weight", "index_shift", "entropy_constant", "sum_of_squares")
# What the published code's diffusion is, where nothing else is asked for.
_PUBLISHED_DIFFUSION = {"prediction": "epsilon", "times": "uniform", "variance": "posterior"}
_REPLACED: dict[str, dict[str, Any]] = {
    "sum_of_squares": {"likelihood": {"kind": "sum_of_squares"}},
    "gradient_clip": {"optimizer": {"gradient_clip": 0.25}},
    "plateau": {
        "optimizer": {
            "schedule": {
                "kind": "plateau", "factor": 0.5, "patience": 10, "threshold": 0.1,
                "watch": "train",
            }
        }
    },
    "latent_widths": {"network": {"latent_widths": True}},
}  # fmt: skip


class TrialConfig(Frozen):
    """Everything that one trial's numbers follow from (beside device and versions).

    `objective` is a profile: it decides what `departures` leave open, and under `published` a
    diffusion prior's prediction, times and variance, too. As a trial's config is stored, nothing
    is open: departures that do not concern its prior are off, and those that replace a field have
    replaced it. `revision` says what the fields mean, see `trainables.config.revision`.
    """

    revision: Annotated[int, Field(ge=1, le=NEWEST_REVISION)] = NEWEST_REVISION
    objective: Objective = "exact"
    departures: Departures = Departures()
    data: DataConfig
    latent_size: Annotated[int, Field(ge=1, le=65536)]
    prior: PriorConfig
    likelihood: LikelihoodConfig = GaussianLikelihoodConfig()
    network: NetworkConfig = PlainNetworkConfig()
    kl_annealing: KLAnnealingConfig = KLAnnealingConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    fid: FIDConfig = FIDConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    max_epochs: PositiveInt
    rungs: tuple[PositiveInt, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @classmethod
    def from_stored(cls, values: object) -> "TrialConfig":
        """The config whose plain values were stored, maybe before there were revisions.

        Raises:
            ValidationError: they are not a config's.
        """
        return cls.model_validate(as_stored(values))

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_left_open(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        values = with_meaning_of_revision(values)
        values = values | {"prior": _profiled_prior(values)} if "prior" in values else values
        departures = _settled(values)
        values = values | {"departures": departures}
        for name, fields in _REPLACED.items():
            if isinstance(departures, dict) and departures.get(name) is True:
                values = _merged(values, fields)
        return values

    @model_validator(mode="after")
    def _rungs_rise_below_the_end(self) -> "TrialConfig":
        rungs = (*self.rungs, self.max_epochs)
        if any(low >= high for low, high in pairwise(rungs)):
            raise ValueError(f"rungs must rise and stay below max_epochs, got {rungs}")
        return self

    @model_validator(mode="after")
    def _published_has_the_priors_of_the_paper(self) -> "TrialConfig":
        if self.objective == "published" and self.prior.kind not in _OF_PRIOR:
            raise ValueError(
                f"objective published needs a prior that the paper has ({', '.join(_OF_PRIOR)}),"
                f" got {self.prior.kind}"
            )
        return self

    @model_validator(mode="after")
    def _departures_go_with_the_prior(self) -> "TrialConfig":
        check_departures(self.departures, self.prior)
        return self

    @model_validator(mode="after")
    def _dimensions_have_rates_of_their_own(self) -> "TrialConfig":
        annealing = self.kl_annealing
        is_apart = annealing.free_bits > 0 and annealing.free_bits_of == "dimension"
        if is_apart and self.prior.kind in ("flow", "diffusion"):
            raise ValueError(
                "kl_annealing.free_bits_of dimension needs a prior that factorises, got"
                f" {self.prior.kind}; use total"
            )
        return self

    @model_validator(mode="after")
    def _likelihood_fits_the_data(self) -> "TrialConfig":
        likelihood, data = self.likelihood, self.data
        if likelihood.kind == "discretized_logistic" and data.format.num_levels != 256:
            raise ValueError(
                "likelihood.kind discretized_logistic is made for 8-bit images of 256 levels, but"
                f" {data.dataset} has {data.format.num_levels}; use gaussian"
            )
        is_learned = likelihood.kind == "diagonal" or (
            isinstance(likelihood, GaussianLikelihoodConfig) and likelihood.scale == "learned"
        )
        if is_learned and not data.dequantise:
            raise ValueError(
                "a likelihood with a learned scale needs data.dequantise, because without it"
                " the density of the levels has no bound"
            )
        if likelihood.kind == "sum_of_squares" and not self.departures.sum_of_squares:
            raise ValueError(
                "likelihood.kind sum_of_squares is not a density: it needs objective published or"
                " departures.sum_of_squares"
            )
        return self

    @model_validator(mode="after")
    def _network_takes_the_images(self) -> "TrialConfig":
        sizes, size = NETWORK_SIZES[self.network.kind], self.data.format.size
        if size not in sizes:
            raise ValueError(
                f"network.kind {self.network.kind} takes images of size"
                f" {', '.join(map(str, sizes))}, but those of {self.data.dataset} are {size}"
                " pixels wide; data.resize brings them to 32 or 64"
            )
        return self

    @model_validator(mode="after")
    def _more_samples_than_features(self) -> "TrialConfig":
        data = self.data
        # A space does not know the images of a new name before they are found.
        is_found = data.dataset in KNOWN_FORMATS or data.fingerprint is not None
        if is_found or self.fid.features != "pixels":
            check_num_images(self.fid, data.format, "fid.num_samples", self.fid.num_samples)
        return self

    @property
    def evaluated_epochs(self) -> tuple[int, ...]:
        """The epochs that end with a FID: every rung and the last one."""
        return (*self.rungs, self.max_epochs)

    @property
    def has_bound(self) -> bool:
        """Whether -(rate + distortion) bounds log p(x): no departure says otherwise."""
        return not any(getattr(self.departures, name) for name in _UNBOUND)


def check_departures(departures: Departures, prior: PriorConfigBase) -> None:
    """Refuses a diffusion that cannot depart as it is asked to.

    Raises:
        ValueError: a departure leaves nothing of what the prior's config asks for.
    """
    if not isinstance(prior, DiffusionPriorConfig):
        return
    if departures.diffusion_weight and prior.variance == "learned":
        raise ValueError(
            "departures.diffusion_weight leaves the variance out of the loss, so it needs"
            " prior.variance beta, posterior or analytic, got learned"
        )
    if departures.diffusion_weight and prior.weighting == "simple":
        raise ValueError(
            "departures.diffusion_weight is a weighting of its own: it needs prior.weighting"
            " exact, got simple"
        )
    if departures.index_shift and prior.beta_schedule.num_steps < 2:
        raise ValueError(
            "departures.index_shift trains on t = 1 … T - 1, so it needs"
            f" beta_schedule.num_steps >= 2, got {prior.beta_schedule.num_steps}"
        )


def _settled(values: dict[str, Any]) -> object:
    """The departures with nothing left open, as far as the other values let it be told."""
    departures = values.get("departures") or {}
    if isinstance(departures, Departures):
        departures = departures.model_dump()
    if not isinstance(departures, dict):
        return departures
    kind = _group(values.get("prior")).get("kind")
    network = _group(values.get("network")).get("kind", "plain")
    foreign = {name for names in _OF_PRIOR.values() for name in names}
    foreign -= set(_OF_PRIOR.get(str(kind), ()))
    if network not in ("plain", "reference") and departures.get("latent_widths") is None:
        foreign.add("latent_widths")
    default = values.get("objective", "exact") == "published"
    settled = {name: default for name in Departures.model_fields}
    given = {name: value for name, value in departures.items() if value is not None}
    settled |= given | {name: False for name in foreign if given.get(name) in (None, True, False)}
    return settled


def _profiled_prior(values: dict[str, Any]) -> object:
    """The prior, where it is a diffusion under `published` with what the profile decides of it."""
    prior = values["prior"]
    if values.get("objective") != "published" or values.get("revision") == 1:
        return prior
    if isinstance(prior, DiffusionPriorConfig):
        prior = prior.model_dump(exclude_unset=True) | {"kind": prior.kind}
    is_diffusion = isinstance(prior, dict) and prior.get("kind") == "diffusion"
    return {**_PUBLISHED_DIFFUSION, **prior} if is_diffusion else prior


def _merged(values: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Nested groups with some fields replaced; a likelihood of another kind gives way whole."""
    merged = dict(values)
    for name, value in fields.items():
        if isinstance(value, dict) and "kind" not in value:
            merged[name] = _merged(_group(values.get(name)), value)
        else:
            merged[name] = value
    return merged


def _group(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump()
    return value if isinstance(value, dict) else {}
