"""What comes after a stratum's search: which configs are confirmed, chosen, and tested.

Candidates and choice are stored when they are made, by the budget of trials that they were made
from, and never change: a look at the test split must not lead to another choice. Only a search
that was extended makes them once more, again on the validation part alone; and where the stratum
was tested before, another config is tested only for a reason that somebody gave.

What chose a config is not its result: the best of several means is too good by the luck of its
seeds. So where a criterion has more than one candidate, the first seeds of each choose, and then
fresh seeds of the chosen config are trained, which alone are tested.
"""

import itertools
import statistics
from collections.abc import Container, Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Stratum, StudySpec
from study.ledger.choice import (
    BEST_ELBO,
    CANDIDATES,
    CHOSEN,
    POOLS,
    Attributes,
    Candidates,
    Choice,
    Pick,
    Slot,
)
from study.ledger.facts import TEST

FID, ELBO = "fid", "elbo"


def candidates(spec: StudySpec, stratum: Stratum, search: Study, confirm: Study) -> Candidates:
    """The configs to confirm; stored when first asked for.

    The best of the search by each criterion; without a search the variants, or else the space's
    own values. Empty where the search has no COMPLETE trial. After an extended search its best
    are candidates beside those of before.
    """
    budget, attributes = spec.budget.trials_per_stratum, confirm.user_attrs
    known = Candidates.at(attributes, budget)
    if known is not None:
        return known
    before = Candidates.latest(attributes)
    found = _found(spec, stratum, search, before)
    if found.pools:
        pools = {"by": found.pools, "num_seeds": found.num_seeds}
        confirm.set_user_attr(f"{POOLS}{budget}", pools)
    if found.configs:
        confirm.set_user_attr(f"{CANDIDATES}{budget}", found.configs)
    return found


def standing_choice(spec: StudySpec, attributes: Attributes) -> Choice | None:
    """The choice that is not made any more; None where it is still to be made.

    After an extended search that of before stands where the test split was looked at.

    Args:
        spec: the study's question.
        attributes: those of the stratum's confirm study, which Optuna copies at every look.
    """
    own = Choice.at(attributes, spec.budget.trials_per_stratum)
    return own or (Choice.latest(attributes) if _is_tested(attributes) else None)


def missing_slots(
    spec: StudySpec,
    attributes: Attributes,
    planned: Candidates,
    choice: Choice | None,
    taken: Container[Slot | None],
) -> list[Slot]:
    """The seeds that no trial has been asked for yet, replicates first.

    Once a config is chosen, further seeds are for it alone.

    Args:
        spec: the study's question.
        attributes: those of the stratum's confirm study.
        planned: the configs that are confirmed.
        choice: that which stands, if one does.
        taken: the seeds that trials have been asked for.
    """
    if choice is None and not planned.pools:  # revision 1 goes by an outdated choice, too
        choice = Choice.latest(attributes)
    num_seeds = spec.confirm.num_seeds
    total = num_seeds + attributes.get("extra_seeds", 0)
    if choice is None:
        num_first = planned.num_seeds if planned.is_contest else total
    else:
        num_first = min(num_seeds, choice.num_seeds)
    wanted = [Slot(key, n) for n, key in itertools.product(range(num_first), planned.configs)]
    wanted += [
        Slot(pick.key, replicate, pick.is_fresh)
        for replicate, pick in itertools.product(range(total), choice.picks if choice else ())
        if pick.is_fresh or replicate >= num_first
    ]
    return [slot for slot in wanted if slot not in taken]


def choose(spec: StudySpec, confirm: Study, planned: Candidates) -> Choice | None:
    """Makes the choice, if it is not made; stored when made. None while no seed is COMPLETE.

    A criterion none of whose candidates has a COMPLETE seed chooses when one has, after a retry.
    All variants are tested, since nothing was selected among them.
    """
    attributes = confirm.user_attrs
    made = standing_choice(spec, attributes)
    by = dict(made.by) if made else {}
    if made is not None and (by.keys() == planned.pools.keys() or not planned.pools):
        return made
    for criterion, pool in _pools(planned).items():
        pick = None if spec.variants else _best(confirm, criterion, pool)
        if pick is not None and criterion not in by:
            by[criterion] = Pick(pick, planned.is_contest)
    if made is not None and by == made.by:
        return made
    keys = _complete_keys(confirm) if spec.variants else [pick.key for pick in by.values()]
    if not keys:
        return None
    before = made or Choice.latest(attributes)
    choice = before or Choice((), spec.confirm.num_seeds)
    if made is None and planned.is_contest:
        choice = replace(choice, num_seeds=planned.num_seeds)
    choice = replace(choice, keys=tuple(dict.fromkeys(keys)), by=by)
    _store(spec, confirm, choice)
    return choice


def rivals(spec: StudySpec, confirm: Study) -> dict[str, str]:
    """Candidates better on the validation part than the tested ones, by criterion."""
    attributes = confirm.user_attrs
    choice = Choice.latest(attributes)
    if choice is None or spec.variants or not _is_tested(attributes):
        return {}
    found = {}
    for criterion, pool in _pools(Candidates.latest(attributes)).items():
        chosen = {choice.by[criterion].key} if criterion in choice.by else set(choice.keys)
        best = _best(confirm, criterion, pool)
        if best is not None and best not in chosen:
            found[criterion] = best
    return found


def choose_again(spec: StudySpec, confirm: Study, why: str) -> None:
    """Lets the rivals be tested beside what was tested before, and keeps the reason."""
    choice = Choice.latest(confirm.user_attrs)
    assert choice is not None
    found = rivals(spec, confirm)
    is_contest = Candidates.latest(confirm.user_attrs).is_contest
    by = choice.by | {criterion: Pick(key, is_contest) for criterion, key in found.items()}
    again = replace(
        choice,
        keys=tuple(dict.fromkeys(pick.key for pick in by.values())),
        by=by,
        retests=(*choice.retests, why),
        retested=tuple(dict.fromkeys((*choice.retested, *found))),
    )
    _store(spec, confirm, again)


def untested(confirm: Study, choice: Choice | None) -> list[int]:
    """Numbers of the chosen configs' COMPLETE trials without a look at the test split."""
    attributes = confirm.user_attrs
    return [
        trial.number
        for trial in _complete(confirm)
        if choice is not None
        and choice.is_tested(_slot(trial))
        and f"{TEST}{trial.number}" not in attributes
    ]


def _found(spec: StudySpec, stratum: Stratum, search: Study, before: Candidates) -> Candidates:
    """What the search has found, beside the candidates of before."""
    if spec.variants:
        return Candidates(spec.variants_of(stratum))
    configs, pools = dict(before.configs), deepcopy(before.pools)
    for criterion in spec.confirm.by:
        best = _best_configs(spec, search, criterion)
        configs |= best
        if best:
            pools[criterion] = list(dict.fromkeys([*pools.get(criterion, []), *best]))
    # A ledger that began without pools goes on without.
    if spec.revision == 1 or (before.configs and not before.pools):
        return Candidates(configs)
    return Candidates(configs, pools, before.num_seeds or spec.confirm.num_seeds)


def _best_configs(spec: StudySpec, search: Study, criterion: str) -> dict[str, dict[str, Any]]:
    """The overrides of the search's best by key; without a search the space as it is."""
    if spec.budget.trials_per_stratum == 0:
        return {"base": {}}
    known = [(_loss(trial, criterion), trial.number, trial) for trial in _complete(search)]
    ranked = sorted(place for place in known if place[0] is not None)
    return {
        f"search-{number}": trial.params | trial.user_attrs.get("overrides", {})
        for _, number, trial in ranked[: spec.confirm.num_configs]
    }


def _pools(planned: Candidates) -> dict[str, list[str]]:
    return planned.pools or {FID: list(planned.configs)}


def _best(confirm: Study, criterion: str, pool: Iterable[str]) -> str | None:
    """The candidate with the best mean over the seeds that choose; None without a value."""
    values: dict[str, list[float]] = {}
    for trial in _complete(confirm):
        slot, loss = _slot(trial), _loss(trial, criterion)
        if slot.key in pool and not slot.is_fresh and loss is not None:
            values.setdefault(slot.key, []).append(loss)
    return min(values, key=lambda key: statistics.fmean(values[key]), default=None)


def _loss(trial: FrozenTrial, criterion: str) -> float | None:
    """What the criterion compares, lower is better; None where the trial has no such value."""
    if criterion == ELBO:
        elbo = trial.user_attrs.get(BEST_ELBO)
        return None if elbo is None else -elbo
    return trial.value


def _complete_keys(confirm: Study) -> list[str]:
    return sorted({_slot(trial).key for trial in _complete(confirm)})


def _store(spec: StudySpec, confirm: Study, choice: Choice) -> None:
    confirm.set_user_attr(f"{CHOSEN}{spec.budget.trials_per_stratum}", choice.stored())


def _is_tested(attributes: Attributes) -> bool:
    return any(name.startswith(TEST) for name in attributes)


def _slot(trial: FrozenTrial) -> Slot:
    slot = Slot.of(trial.user_attrs)
    assert slot is not None  # it got one before its config
    return slot


def _complete(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
