"""What stored configs mean, now that there are fields and defaults which they did not know.

A config says everything that a trial's numbers follow from. Where a fault is mended, the same
fields would come to mean other numbers; so a config has a revision:

    1   Evaluation draws t in proportion to the weight alone. All scores and batches of validation
        share one noise. Free bits are clamped off the whole rate, by dimension where the prior
        factorises, so that below them a learned prior does not learn. An average of weights
        takes over the errors that `variance: analytic` measured with the raw ones. Active units
        are counted by the variance of their means. The hole is a difference of two FIDs.
    2   Evaluation draws t by the training's own law. A score draws from the trial's seed; each
        batch and purpose of validation has a noise of its own. Free bits spare the encoder only.
        An average of weights measures its own errors. Active units are counted by their share of
        noise. The hole is a FID of its own.

What was stored before there were revisions is of revision 1 and keeps every number, and every
hash: a field that came later has no part in a hash where its value is what was done before.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

NEWEST_REVISION = 2
# Fields that came with revision 2, by dotted name, and what was done before they were there.
_ADDED: dict[str, Any] = {
    "revision": 1,
    "departures.flow_clamp": False,
    "departures.exponential_scale": False,
    "kl_annealing.free_bits_of": "total",
    "evidence": {"num_samples": 100, "num_images": 0},
    "fid.num_classifiers": 1,
}
# Defaults of a diffusion prior that changed with revision 2, as they were.
_CHANGED_DEFAULTS = {"prediction": "epsilon", "times": "importance"}


def as_stored(values: object) -> object:
    """A stored config's or space's values, of revision 1 where they do not name theirs."""
    return {"revision": 1, **values} if isinstance(values, dict) else values


def with_meaning_of_revision(values: dict[str, Any]) -> dict[str, Any]:
    """A config's or space's values, where they are of revision 1 with what was meant then.

    Fields that came later are set to what was done before; a diffusion prior's fields that are
    left open get the defaults of then.
    """
    if values.get("revision") != 1:
        return values
    values = deepcopy(values)
    for path, value in _ADDED.items():
        *groups, name = path.split(".")
        group: object = values
        for part in groups:
            group = _subgroup(group, part)
        if isinstance(group, dict):
            group[name] = deepcopy(value)
    for prior in _diffusion_priors(values):
        for name, value in _CHANGED_DEFAULTS.items():
            prior.setdefault(name, value)
    return values


def hashed_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """A config's plain values without the fields that say what was done before they were there."""
    kept = deepcopy(dict(values))
    for path, before in _ADDED.items():
        *groups, name = path.split(".")
        group: Any = kept
        for part in groups:
            group = group[part]
        if group.get(name) == before:
            del group[name]
    return kept


def _subgroup(values: object, name: str) -> object:
    """A group of fields as a dict that lies in `values`, made where it is not there."""
    if not isinstance(values, dict):
        return None
    if isinstance(values.get(name), BaseModel):
        values[name] = values[name].model_dump(exclude_unset=True)
    return values.setdefault(name, {})


def _diffusion_priors(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The diffusion priors of a config (`prior`) or of a space (`priors.diffusion`)."""
    prior, priors = values.get("prior"), values.get("priors")
    found = [prior] if isinstance(prior, dict) and prior.get("kind") == "diffusion" else []
    if isinstance(priors, dict):
        of_space = priors.setdefault("diffusion", {})
        found += [of_space] if isinstance(of_space, dict) else []
    return found
