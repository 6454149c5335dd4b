"""One suggestion over the domains of a stratum, the same again after a restart.

A seeded sampler that starts again proposes the same configs again, and a trial killed while being
asked would be completed from another state of the stream. So the sampler is made anew by what
is drawn: once for the joint draw, which TPE and the Gaussian process make at a trial's first
suggestion, and once for every value that is drawn alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial

from search_spaces import Choice, Domain, IntUniform, LogIntUniform
from search_spaces.search import GPSpec, RandomSpec, Sampler, TPESpec
from trainables.seed import derive_seed


def build_sampler(spec: Sampler, budget: int, seed: int) -> BaseSampler:
    """The sampler of that name.

    Args:
        spec: its name and options.
        budget: trials of the stratum; a quarter of them, 2 to 10, are drawn at random first.
        seed: of its random stream.
    """
    num_startup = min(10, max(2, budget // 4))
    match spec:
        case TPESpec():
            return TPESampler(
                seed=seed,
                n_startup_trials=spec.num_startup or num_startup,
                n_ei_candidates=spec.num_candidates,
            )
        case RandomSpec():
            return RandomSampler(seed=seed)
        case GPSpec():
            return GPSampler(
                seed=seed,
                n_startup_trials=spec.num_startup or num_startup,
                deterministic_objective=spec.is_noiseless,
                warn_independent_sampling=False,
            )


def suggest(
    study: Study,
    trial: Trial,
    domains: Mapping[str, Domain],
    sampler: Callable[[int], BaseSampler],
    seed_parts: tuple[object, ...],
) -> dict[str, Any]:
    """A value for every domain; those that the trial has already are kept.

    Args:
        study: the stratum's study; its sampler is set.
        trial: the trial that is asked.
        domains: what varies, by dotted field.
        sampler: a new sampler, from a seed.
        seed_parts: what the random stream depends on, beside the domain's name.
    """
    study.sampler = sampler(derive_seed(*seed_parts))
    _ = trial.relative_params  # the joint draw, now
    values: dict[str, Any] = {}
    for name, domain in domains.items():
        study.sampler = sampler(derive_seed(*seed_parts, name))
        values[name] = _suggest_one(trial, name, domain)
    return values


def _suggest_one(trial: Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, domain.values)
    if isinstance(domain, IntUniform | LogIntUniform):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.is_logarithmic)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.is_logarithmic)
