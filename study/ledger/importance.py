"""How much each searched field decides whether a trial is among the best of its stratum.

PED-ANOVA compares the density of a field's values among the best trials with that among all of
them (Watanabe, Bansal & Hutter 2023, arXiv 2304.10255). It needs only the order of trials.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from search_spaces import Choice, Domain, IntUniform, LogIntUniform

BEST_SHARE = 0.25


def importances(
    domains: Mapping[str, Domain], trials: Sequence[tuple[Mapping[str, Any], float]]
) -> dict[str, float]:
    """The share of each field, in all 1.

    Args:
        domains: what varied, by dotted field.
        trials: the values of these fields and the objective (lower is better), by trial; trials
            with a value outside of its domain are left out.
    """
    distributions = {name: _distribution(domain) for name, domain in domains.items()}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    for params, value in trials:
        if all(_contains(distributions[name], params.get(name)) for name in domains):
            own = {name: params[name] for name in domains}
            study.add_trial(create_trial(params=own, distributions=distributions, value=value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
        return get_param_importances(study, evaluator=evaluator)


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.values)
    if isinstance(domain, IntUniform | LogIntUniform):
        return IntDistribution(domain.low, domain.high, log=domain.is_logarithmic)
    return FloatDistribution(domain.low, domain.high, log=domain.is_logarithmic)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (TypeError, ValueError):
        return False
