"""One suggestion: Optuna's TPE over the domains of a stratum, the same again after a restart.

A seeded TPE that starts again proposes the same configs again, and a trial killed while being
asked would be completed from another state of the stream. So the sampler is seeded anew by what
is drawn: once for the joint draw, which Optuna 5's TPE makes at a trial's first suggestion, and
once for every value that it draws alone.
"""

from collections.abc import Mapping
from typing import Any

from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import Trial

from search_spaces import Choice, Domain, IntUniform, LogIntUniform
from trainables.seed import derive_seed


def suggest(
    study: Study,
    trial: Trial,
    domains: Mapping[str, Domain],
    budget: int,
    seed_parts: tuple[object, ...],
) -> dict[str, Any]:
    """A value for every domain; those that the trial has already are kept.

    Args:
        study: the stratum's study; its sampler is set.
        trial: the trial that is asked.
        domains: what varies, by dotted field.
        budget: trials of the stratum; a quarter of them, 2 to 10, are drawn at random first.
        seed_parts: what the random stream depends on, beside the domain's name.
    """
    num_startup = min(10, max(2, budget // 4))
    study.sampler = TPESampler(seed=derive_seed(*seed_parts), n_startup_trials=num_startup)
    _ = trial.relative_params  # the joint draw, now
    values: dict[str, Any] = {}
    for name, domain in domains.items():
        seed = derive_seed(*seed_parts, name)
        study.sampler = TPESampler(seed=seed, n_startup_trials=num_startup)
        values[name] = _suggest_one(trial, name, domain)
    return values


def _suggest_one(trial: Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, domain.values)
    if isinstance(domain, IntUniform | LogIntUniform):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.is_logarithmic)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.is_logarithmic)
