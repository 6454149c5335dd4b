"""What comes after a stratum's search: which configs are confirmed, chosen, and tested.

Candidates and choice are stored when they are made, by the budget of trials that they were made
from, and never change: a look at the test split must not lead to another choice. Only a search
that was extended makes them once more, again by validation FID alone; and where the stratum was
tested before, another config is tested only for a reason that somebody gave.
"""

import itertools
import statistics
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Stratum, StudySpec
from study.ledger.facts import CANDIDATES, CHOSEN, TEST, latest

Slot = tuple[str, int]
Candidates = dict[str, dict[str, Any]]


def candidates(spec: StudySpec, stratum: Stratum, search: Study, confirm: Study) -> Candidates:
    """Overrides of the configs to confirm, by key; stored when first asked for.

    The best of the search by validation FID; without a search the variants, or else the space's
    own values. Empty where the search has no COMPLETE trial. After an extended search its best
    are candidates beside those of before.
    """
    own = f"{CANDIDATES}{spec.budget.trials_per_stratum}"
    stored = confirm.user_attrs.get(own)
    if stored is None:
        found = _first_candidates(spec, stratum, search)
        stored = latest(confirm.user_attrs, CANDIDATES) | found
        if stored:
            confirm.set_user_attr(own, stored)
    return dict(stored)


def missing_slots(spec: StudySpec, planned: Candidates, confirm: Study) -> list[Slot]:
    """(candidate, replicate) pairs that no trial has been asked for yet, replicates first.

    Once a config is chosen, further seeds are for it alone.
    """
    attributes = confirm.user_attrs
    choice = latest(attributes, CHOSEN)
    num_seeds = spec.confirm.num_seeds
    num_first = min(num_seeds, choice.get("num_seeds", num_seeds))
    extra = range(num_first, num_seeds + attributes.get("extra_seeds", 0))
    wanted = list(itertools.product(range(num_first), planned))
    wanted += itertools.product(extra, choice.get("keys") or list(planned))
    taken = {slot_of(trial) for trial in confirm.get_trials(deepcopy=False)}
    return [(key, replicate) for replicate, key in wanted if (key, replicate) not in taken]


def slot_of(trial: FrozenTrial) -> Slot | None:
    """The (candidate, replicate) that a confirm trial fills."""
    slot = trial.user_attrs.get("slot")
    return (slot[0], slot[1]) if slot else None


def choose(spec: StudySpec, confirm: Study) -> list[str]:
    """Keys of the candidates to test, by mean validation FID over seeds; stored when made.

    All variants are tested, since nothing was selected among them. After an extended search the
    choice is made anew only where the test split was not looked at; else see `choose_again`.
    """
    own = f"{CHOSEN}{spec.budget.trials_per_stratum}"
    stored = confirm.user_attrs.get(own)
    if stored is None:
        before = latest(confirm.user_attrs, CHOSEN)
        keys = before["keys"] if _is_tested(confirm) else _best_keys(spec, confirm)
        num_seeds = before.get("num_seeds", spec.confirm.num_seeds)
        stored = before | {"keys": keys, "num_seeds": num_seeds}
        if keys:
            confirm.set_user_attr(own, stored)
    return list(stored["keys"])


def rival(spec: StudySpec, confirm: Study) -> str | None:
    """The candidate that is better on the validation part than the tested one, if one is."""
    chosen = latest(confirm.user_attrs, CHOSEN).get("keys", [])
    best = _best_keys(spec, confirm)
    return best[0] if _is_tested(confirm) and best and best[0] not in chosen else None


def choose_again(spec: StudySpec, confirm: Study, why: str) -> None:
    """Lets the rival be tested beside the config that was tested before, and keeps the reason."""
    own = f"{CHOSEN}{spec.budget.trials_per_stratum}"
    before = latest(confirm.user_attrs, CHOSEN)
    keys, reasons = [rival(spec, confirm)], [*before.get("retests", []), why]
    confirm.set_user_attr(own, before | {"keys": keys, "retests": reasons})


def untested(confirm: Study, chosen: list[str]) -> list[int]:
    """Numbers of the chosen config's COMPLETE trials without a look at the test split."""
    tested = confirm.user_attrs
    return [
        trial.number
        for trial in _complete(confirm)
        if trial.user_attrs["slot"][0] in chosen and f"{TEST}{trial.number}" not in tested
    ]


def _first_candidates(spec: StudySpec, stratum: Stratum, search: Study) -> Candidates:
    if spec.budget.trials_per_stratum == 0:
        return spec.variants_of(stratum) or {"base": {}}
    best = sorted(_complete(search), key=lambda trial: (trial.value, trial.number))
    return {
        f"search-{trial.number}": trial.params | trial.user_attrs.get("overrides", {})
        for trial in best[: spec.confirm.num_configs]
    }


def _best_keys(spec: StudySpec, confirm: Study) -> list[str]:
    values = _values_by_candidate(confirm)
    best = sorted(values, key=lambda key: statistics.fmean(values[key]))
    return sorted(values) if spec.variants else best[:1]


def _is_tested(confirm: Study) -> bool:
    return any(name.startswith(TEST) for name in confirm.user_attrs)


def _values_by_candidate(confirm: Study) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for trial in _complete(confirm):
        assert trial.value is not None
        values.setdefault(trial.user_attrs["slot"][0], []).append(trial.value)
    return values


def _complete(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
