"""One suggestion: Optuna's TPE over the domains of a stratum, the same again after a restart.

A seeded TPE that starts again proposes the same configs again, and a trial killed while being
asked would be completed from another state of the stream. So the sampler is seeded anew before
every single value, by what the value is for.
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
    values: dict[str, Any] = {}
    for name, domain in domains.items():
        study.sampler = TPESampler(
            seed=derive_seed(*seed_parts, name), n_startup_trials=min(10, max(2, budget // 4))
        )
        values[name] = _suggest_one(trial, name, domain)
    return values


def _suggest_one(trial: Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, domain.values)
    if isinstance(domain, IntUniform | LogIntUniform):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.is_logarithmic)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.is_logarithmic)
