"""What the variance of a diffusion's reverse transitions costs its bound, in words."""

import itertools
from collections.abc import Iterator
from typing import Any

from search_spaces import Choice, Stratum, StudySpec
from trainables.config import DiffusionPriorConfig

_FIELDS = ("prior.variance", "prior.beta_schedule.kind", "prior.beta_schedule.num_steps")


def cost_text(prior: DiffusionPriorConfig) -> str:
    """The variance and its cost, as in `posterior 2.22 nats a dimension (linear, T = 50)`.

    That is the bound's excess over the entropy of z_0 ~ N(0, 1) with the best network for it.
    """
    from trainables.beta_schedule import build_beta_schedule
    from trainables.diffusion.reverse_variance import variance_cost

    schedule = prior.beta_schedule
    cost = variance_cost(prior.variance, build_beta_schedule(schedule))
    scaled = "" if schedule.rescale or schedule.kind == "cosine" else ", not rescaled"
    return (
        f"{prior.variance} {abs(cost):.2f} nats a dimension"
        f" ({schedule.kind}{scaled}, T = {schedule.num_steps})"
    )


def variance_notes(spec: StudySpec) -> list[str]:
    """A sentence for each diffusion of a space on what its variance costs the bound."""
    costs = [text for stratum in _diffusions(spec) for text in _costs(spec, stratum)]
    distinct = list(dict.fromkeys(costs))
    if not distinct:
        return []
    return [
        "reverse variance, and what it costs the bound of latents of unit variance whatever the"
        f" network: {'; '.join(distinct)}"
    ]


def _diffusions(spec: StudySpec) -> list[Stratum]:
    """One stratum of each prior: its data set and latent size do not matter here."""
    return list({stratum.prior: stratum for stratum in spec.cells()}.values())


def _costs(spec: StudySpec, stratum: Stratum) -> Iterator[str]:
    for overrides in (spec.variants_of(stratum) or {"": {}}).values():
        for chosen in _choices(spec, stratum):
            prior = spec.trial_config(stratum, {**overrides, **chosen}).prior
            if isinstance(prior, DiffusionPriorConfig):
                yield cost_text(prior)


def _choices(spec: StudySpec, stratum: Stratum) -> Iterator[dict[str, Any]]:
    """What the search may set of variance and schedule; an interval by its ends."""
    domains = {path: d for path, d in spec.domains_of(stratum).items() if path in _FIELDS}
    values = [
        domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
        for domain in domains.values()
    ]
    for combination in itertools.product(*values):
        yield dict(zip(domains, combination, strict=True))
