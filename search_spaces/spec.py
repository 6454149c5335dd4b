"""A study as plain values: its strata, what varies in each, its budget and its protocol.

A space is a set of trial configs. It says what may vary; it does not draw, launch or log.
"""

import itertools
from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from search_spaces.budget import BudgetSpec, ConfirmSpec, ResourcesSpec
from search_spaces.claim import Claim, EquivalenceClaim, without_reasons
from search_spaces.complaint import complaint, did_you_mean, place_of
from search_spaces.domain import Domain
from search_spaces.override import CHOOSABLE, KINDS, Overrides, check_choosable, put
from search_spaces.search import SearchSpec
from search_spaces.stratum import StrataSpec, Stratum
from trainables.config import (
    KNOWN_FORMATS,
    NEWEST_REVISION,
    Departures,
    EvidenceConfig,
    FIDConfig,
    Frozen,
    GaussianLikelihoodConfig,
    ImageFormat,
    KLAnnealingConfig,
    LikelihoodConfig,
    NetworkConfig,
    Objective,
    OptimizerConfig,
    PlainNetworkConfig,
    Slug,
    TrialConfig,
    prior_kinds,
    with_meaning_of_revision,
)
from trainables.error import InputError

_SHARED_WITH_TRIALS = {
    "objective",
    "departures",
    "likelihood",
    "network",
    "kl_annealing",
    "optimizer",
    "fid",
    "evidence",
    "revision",
}
_ANY_FORMAT = ImageFormat(channels=3, size=32)
_VARIED = (*CHOOSABLE, "departures")


class DataSpec(Frozen):
    """What is taken of each data set; see `trainables.config.DataConfig`.

    `flip` is for all of them, or names those that it is for.
    """

    num_images: PositiveInt | None = None
    resize: Literal[32, 64] | None = None
    dequantise: bool = True
    flip: bool | tuple[Slug, ...] = False
    split_seed: int = 0

    def of(self, dataset: str) -> dict[str, Any]:
        """The fields of `DataConfig` that these are for one data set."""
        flip = self.flip if isinstance(self.flip, bool) else dataset in self.flip
        return self.model_dump() | {"dataset": dataset, "flip": flip}


class DatasetFacts(Frozen):
    """What a launch found a data set to be."""

    format: ImageFormat
    fingerprint: str


class StudySpec(Frozen):
    """The question of a study.

    `priors` holds what the prior configs of this space share, by kind. `domains` holds what the
    search varies, by dotted field of a trial's config: under `all` for every stratum, under a
    prior's kind for the strata of that prior alone. `variants` are fixed overrides, each trained
    with the confirm seeds and without search; the first is what the others are compared with.
    `claims` are judged by the report. `revision` says what the fields mean, see
    `trainables.config.revision`; a study keeps the one that it was started with.
    `plugins` are Python files that register priors of a user's own. `datasets` is filled by the
    launch.
    """

    name: Slug
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    revision: Annotated[int, Field(ge=1, le=NEWEST_REVISION)] = NEWEST_REVISION
    plugins: tuple[str, ...] = ()
    objective: Objective = "exact"
    departures: Departures = Departures()
    strata: StrataSpec
    data: DataSpec = DataSpec()
    likelihood: LikelihoodConfig = GaussianLikelihoodConfig()
    network: NetworkConfig = PlainNetworkConfig()
    kl_annealing: KLAnnealingConfig = KLAnnealingConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    fid: FIDConfig = FIDConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    priors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    domains: dict[str, dict[str, Domain]] = Field(default_factory=dict)
    budget: BudgetSpec
    search: SearchSpec = SearchSpec()
    confirm: ConfirmSpec = ConfirmSpec()
    resources: ResourcesSpec = ResourcesSpec()
    variants: dict[Slug, dict[str, Any]] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    datasets: dict[Slug, DatasetFacts] = Field(default_factory=dict)

    def cells(self) -> list[Stratum]:
        """The strata of the study, in the order of the table."""
        return list(itertools.starmap(Stratum, self._product()))

    def searches(self) -> list[Stratum]:
        """The strata with their repeats, each of which is searched, confirmed and tested."""
        repeats = range(self.search.num_repeats)
        return [Stratum(*axes, repeat) for repeat in repeats for axes in self._product()]

    def _product(self) -> Iterator[tuple[str, str, int]]:
        axes = self.strata
        return itertools.product(axes.dataset, axes.prior, axes.latent_size)

    def with_datasets(self, datasets: dict[str, DatasetFacts]) -> "StudySpec":
        """The space with what its data sets were found to be, checked against them.

        Raises:
            InputError: a config does not fit the images.
        """
        values = self.model_dump() | {"datasets": {n: f.model_dump() for n, f in datasets.items()}}
        try:
            return StudySpec.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{self.name}: {complaint(error, StudySpec)}") from error

    @property
    def confirm_epochs(self) -> int:
        """Length of a confirm trial."""
        return self.confirm.max_epochs or self.budget.max_epochs

    def domains_of(self, stratum: Stratum) -> dict[str, Domain]:
        """What the search varies in this stratum, by dotted field."""
        return self.domains.get("all", {}) | self.domains.get(stratum.prior, {})

    def variants_of(self, stratum: Stratum) -> dict[str, dict[str, Any]]:
        """The variants that differ in this stratum; of equal configs the first stands for all."""
        configs: dict[str, TrialConfig] = {}
        for name, overrides in self.variants.items():
            config = self.trial_config(stratum, overrides)
            if _without_objective(config) not in map(_without_objective, configs.values()):
                configs[name] = config
        return {name: self.variants[name] for name in configs}

    def num_confirmed(self, stratum: Stratum) -> int:
        """How many configs of a stratum are trained again, for each criterion that chooses."""
        if self.variants:
            return len(self.variants_of(stratum))
        return self.confirm.num_configs if self.budget.trials_per_stratum else 1

    def trial_config(self, stratum: Stratum, overrides: Overrides, **fields: Any) -> TrialConfig:
        """The config of one trial: this space's values, the overrides on top, then `fields`.

        Raises:
            ValueError: an override names no field, or its value is not allowed there.
        """
        facts = self.datasets.get(stratum.dataset)
        data = self.data.of(stratum.dataset)
        if facts is not None:
            data |= facts.model_dump()
        elif stratum.dataset not in KNOWN_FORMATS:
            data["format"] = _ANY_FORMAT.model_copy(update={"size": self.data.resize or 32})
        values: dict[str, Any] = self.model_dump(include=_SHARED_WITH_TRIALS) | {
            "data": data,
            "latent_size": stratum.latent_size,
            "prior": {"kind": stratum.prior, **deepcopy(self.priors.get(stratum.prior, {}))},
            "max_epochs": self.budget.max_epochs,
            **fields,
        }
        # A kind comes before the fields that only it has.
        for path, value in sorted(overrides.items(), key=lambda item: item[0] not in KINDS):
            put(values, path, value)
        return TrialConfig.model_validate(values)

    @model_validator(mode="before")
    @classmethod
    def _fields_mean_what_they_did(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        values = with_meaning_of_revision(values)
        return without_reasons(values) if values.get("revision") == 1 else values

    @field_validator("priors", "domains")
    @classmethod
    def _keys_are_priors(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        allowed = (*prior_kinds(), "all") if info.field_name == "domains" else prior_kinds()
        for key in value:
            if key not in allowed:
                raise ValueError(f"{key!r} is not a prior{did_you_mean(key, allowed)}")
        return value

    @model_validator(mode="after")
    def _only_choosable_fields_vary(self) -> Self:
        for key, domains in self.domains.items():
            for path in domains:
                check_choosable(f"domains.{key}", path)
        for name, overrides in self.variants.items():
            for path in overrides:
                check_choosable(f"variants.{name}", path, also=("objective",), groups=_VARIED)
        for kind, fields in self.priors.items():
            if fields.get("kind", kind) != kind:
                raise ValueError(f"priors.{kind}.kind needs to be {kind}, got {fields['kind']!r}")
        return self

    @model_validator(mode="after")
    def _bounds_have_a_reason(self) -> Self:
        for claim in self.claims:
            if isinstance(claim, EquivalenceClaim) and self.revision > 1 and not claim.reason:
                raise ValueError(
                    f"claims: {claim.name} needs a reason for its bound of {claim.bound:g}: why"
                    " does a difference below that not matter?"
                )
        return self

    @model_validator(mode="after")
    def _variants_or_search(self) -> Self:
        num_trials = self.budget.trials_per_stratum
        if self.variants and num_trials:
            raise ValueError(
                "variants are trained without a search, so budget.trials_per_stratum needs to be"
                f" 0 beside them, got {num_trials}"
            )
        if self.search.num_repeats > 1 and not num_trials:
            raise ValueError(
                f"search.num_repeats is {self.search.num_repeats}, but without a search"
                " (budget.trials_per_stratum is 0) there is nothing to repeat; confirm.num_seeds"
                " gives more seeds"
            )
        return self

    @model_validator(mode="after")
    def _every_config_is_valid(self) -> Self:
        """Tries what every domain reaches, pair by pair: nothing fails in epoch 200."""
        kinds = {*self.strata.prior, *self.priors, *self.domains} - {"all"}
        for prior in sorted(kinds):
            for dataset in self.strata.dataset:
                self._try_stratum(Stratum(dataset, prior, self.strata.latent_size[0]))
        return self

    @model_validator(mode="after")
    def _elbo_chooses_where_there_is_one(self) -> Self:
        if "elbo" not in self.confirm.by:
            return self
        if self.revision == 1:
            raise ValueError("confirm.by elbo came with revision 2, and this is revision 1")
        for stratum in self.cells():
            for name, overrides in (self.variants or {"": {}}).items():
                if not self.trial_config(stratum, overrides).has_bound:
                    where = f"variant {name}" if name else stratum.prior
                    raise ValueError(
                        "confirm.by elbo needs a bound on log p(x) everywhere, and"
                        f" {where} (objective {self.objective}) departs from it; leave elbo out"
                    )
        return self

    def _try_stratum(self, stratum: Stratum) -> None:
        self._try(stratum, {}, {f"priors.{stratum.prior}": ["prior"]})
        if stratum.prior in self.strata.prior:
            self._try_domains(stratum, ["all", stratum.prior])
            for name, overrides in self.variants.items():
                self._try(stratum, overrides, {f"variants.{name}": list(overrides)})
        else:  # not a stratum now, but its fields are checked all the same
            self._try_domains(stratum, [stratum.prior])

    def _try_domains(self, stratum: Stratum, keys: list[str]) -> None:
        origins = {f"domains.{key}": list(self.domains.get(key, {})) for key in keys}
        domains = {
            path: domain for key in keys for path, domain in self.domains.get(key, {}).items()
        }
        samples = [(path, value) for path, d in domains.items() for value in d.examples]
        first = {path: domain.examples[0] for path, domain in domains.items()}
        for pair in itertools.combinations_with_replacement(samples, 2):
            self._try(stratum, first | dict(pair), origins)

    def _try(self, stratum: Stratum, overrides: Overrides, origins: dict[str, list[str]]) -> None:
        """Refuses overrides that make no config, naming which of `origins` holds the field."""
        try:
            self.trial_config(stratum, overrides)
        except ValidationError as error:
            place = place_of(error, TrialConfig).split(".")
            holders = [f"{o}." for o, fields in origins.items() for f in fields if _meet(f, place)]
            origin = holders[0] if holders else ""
            reason = complaint(error, TrialConfig)
            is_base = origin.startswith("priors.")
            raise ValueError(origin + reason.removeprefix("prior." * is_base)) from error


def _without_objective(config: TrialConfig) -> TrialConfig:
    """The config without the profile's name: its departures say what it came to."""
    return config.model_copy(update={"objective": "exact"})


def _meet(field: str, place: list[str]) -> bool:
    """Whether a field lies in a place, or a place in a field."""
    return all(a == b for a, b in zip(field.split("."), place, strict=False))
