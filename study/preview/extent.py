"""How many trials and epochs a study takes, as far as that is known before anything runs."""

from search_spaces import Stratum, StudySpec

Range = tuple[int, int]


def num_confirm_configs(spec: StudySpec, stratum: Stratum) -> Range:
    """Configs that one search of a stratum confirms, at least and at most.

    The fewest are confirmed where all criteria prefer the same ones.
    """
    num_configs, num_trials = spec.num_confirmed(stratum), spec.budget.trials_per_stratum
    if not num_trials:
        return num_configs, num_configs
    most = num_configs * len(spec.confirm.by)
    return min(num_configs, num_trials), min(most, num_trials)


def has_fresh_seeds(spec: StudySpec) -> bool:
    """Whether seeds choose between configs, so that further ones of the chosen are tested."""
    num_candidates = min(spec.confirm.num_configs, spec.budget.trials_per_stratum)
    return num_candidates > 1 and spec.revision > 1


def num_confirm_trials(spec: StudySpec, stratum: Stratum) -> Range:
    """Confirm trials after one search of a stratum, at least and at most."""
    least, most = num_confirm_configs(spec, stratum)
    if has_fresh_seeds(spec):
        least, most = least + 1, most + len(spec.confirm.by)
    return least * spec.confirm.num_seeds, most * spec.confirm.num_seeds


def epochs(spec: StudySpec, stratum: Stratum) -> Range:
    """Epochs of one search of a stratum and its confirm trials, at least and at most.

    At least if all search trials are pruned at the first rung.
    """
    budget = spec.budget
    least, most = (num * spec.confirm_epochs for num in num_confirm_trials(spec, stratum))
    first = min([*budget.rungs, budget.max_epochs])
    num_trials = budget.trials_per_stratum
    return num_trials * first + least, num_trials * budget.max_epochs + most
