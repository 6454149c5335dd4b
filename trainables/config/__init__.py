"""The choice that defines one trial, as plain values: no torch here.

A `TrialConfig` is parsed once, where it enters, and trusted from there on. Every field has a
bound, an unknown field is an error, and a config never changes.
"""

from trainables.config.base import Fraction, Frozen, Slug
from trainables.config.data import KNOWN_FORMATS, DataConfig, ImageFormat
from trainables.config.evidence import EvidenceConfig
from trainables.config.fid import (
    CLASSIFIER_FEATURES,
    INCEPTION_FEATURES,
    FIDConfig,
    check_num_images,
)
from trainables.config.model import (
    DcganNetworkConfig,
    DiagonalLikelihoodConfig,
    GaussianLikelihoodConfig,
    LikelihoodConfig,
    LogisticLikelihoodConfig,
    NetworkConfig,
    PlainNetworkConfig,
    ReferenceNetworkConfig,
    ResnetNetworkConfig,
    SquaresLikelihoodConfig,
)
from trainables.config.optimization import (
    Departures,
    KLAnnealingConfig,
    LearningRateScheduleConfig,
    OptimizerConfig,
)
from trainables.config.preparation import NO_LABEL, PreparationConfig
from trainables.config.prior import (
    BetaScheduleConfig,
    DiffusionPriorConfig,
    FlowPriorConfig,
    GaussianPriorConfig,
    PriorConfig,
    PriorConfigBase,
    SamplerConfig,
    prior_config_class,
    prior_kinds,
    register_prior,
)
from trainables.config.revision import (
    NEWEST_REVISION,
    as_stored,
    hashed_values,
    with_meaning_of_revision,
)
from trainables.config.trial import Objective, TrialConfig, check_departures

__all__ = [
    "CLASSIFIER_FEATURES",
    "INCEPTION_FEATURES",
    "KNOWN_FORMATS",
    "NEWEST_REVISION",
    "NO_LABEL",
    "BetaScheduleConfig",
    "DataConfig",
    "DcganNetworkConfig",
    "Departures",
    "DiagonalLikelihoodConfig",
    "DiffusionPriorConfig",
    "EvidenceConfig",
    "FIDConfig",
    "FlowPriorConfig",
    "Fraction",
    "Frozen",
    "GaussianLikelihoodConfig",
    "GaussianPriorConfig",
    "ImageFormat",
    "KLAnnealingConfig",
    "LearningRateScheduleConfig",
    "LikelihoodConfig",
    "LogisticLikelihoodConfig",
    "NetworkConfig",
    "Objective",
    "OptimizerConfig",
    "PlainNetworkConfig",
    "PreparationConfig",
    "PriorConfig",
    "PriorConfigBase",
    "ReferenceNetworkConfig",
    "ResnetNetworkConfig",
    "SamplerConfig",
    "Slug",
    "SquaresLikelihoodConfig",
    "TrialConfig",
    "as_stored",
    "check_departures",
    "check_num_images",
    "hashed_values",
    "prior_config_class",
    "prior_kinds",
    "register_prior",
    "with_meaning_of_revision",
]  # fmt: skip
