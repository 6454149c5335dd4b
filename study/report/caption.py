"""The facts below the table: how its numbers were made, as texts ready to print."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from search_spaces import StudySpec
from study.tables.reference import reference_biases
from study.tables.searched_field import field_of
from study.tables.table import Table
from study.text import value_text
from trainables.config import DiffusionPriorConfig, TrialConfig
from trainables.count import plural


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Where the numbers come from, beside the records.

    Attributes:
        commit: the checkout that ran the study; empty if unknown.
        versions: of the packages that the numbers depend on, by name.
        device: what trained the models ("cpu", or a GPU's name).
        cpu_model: the processor's name.
        num_threads: threads of one trial.
        overlaps: what the splits of each data set have in common, a sentence.
        generated_at: when this report was written.
    """

    commit: str
    versions: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    cpu_model: str = ""
    num_threads: int = 1
    overlaps: dict[str, str] = field(default_factory=dict)
    generated_at: datetime = field(default_factory=lambda: datetime.now().astimezone())


def caption_facts(
    spec: StudySpec,
    table: Table,
    commit: str,
    versions: Mapping[str, str],
    overlaps: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """How the table's numbers were made, as name and text."""
    protocols = table.protocols()
    fids = [(f"FID on {dataset}", _listed(protocol)) for dataset, protocol in protocols.items()]
    asked = f"{_listed(spec.fid.model_dump(exclude_none=True))} (nothing tested yet)"
    return [
        *(fids or [("FID", asked)]),
        *(("real images", text) for text in reference_biases(table)),
        *((f"splits of {name}", text) for name, text in (overlaps or {}).items()),
        ("objective", f"{spec.objective}; a trial is judged by its validation FID at the rungs"),
        ("epochs", f"{spec.budget.max_epochs} in search, {spec.confirm_epochs} in confirm"),
        ("budget", f"{plural(spec.budget.trials_per_stratum, 'search trial')} a stratum"),
        ("seeds", f"{plural(spec.confirm.num_seeds, 'confirm seed')}; study seed {spec.seed}"),
        *_variance_costs(table),
        *_tested_again(table),
        ("commit", commit or "unknown"),
        ("versions", _listed(versions) or "unknown"),
    ]


def _variance_costs(table: Table) -> list[tuple[str, str]]:
    """What the chosen reverse variances cost the bound; empty without a diffusion."""
    trials = [search.best_trial for cell in table.every_cell for search in cell.searches]
    stored = [t.config for t in trials if t and field_of(t, "prior.kind") == "diffusion"]
    if not stored:
        return []
    from study.preview.variance import (
        cost_text,  # loads torch, which other studies do not need here
    )

    priors = (TrialConfig.from_stored(values).prior for values in stored)
    texts = [cost_text(prior) for prior in priors if isinstance(prior, DiffusionPriorConfig)]
    told = "; ".join(dict.fromkeys(texts))
    return [("reverse variance", f"costs a bound at least, for latents N(0, 1): {told}")]


def _tested_again(table: Table) -> list[tuple[str, str]]:
    """Where the test split was looked at for more than one config, and why."""
    told = [
        f"{cell.stratum}: {why}"
        for cell in table.cells
        if cell.chosen
        for why in cell.chosen[0].attributes.get("retests", ())
    ]
    return [("another config tested after the first", "; ".join(told))] if told else []


def _listed(values: Mapping[str, Any]) -> str:
    texts = (f"{name.replace('_', ' ')} {value_text(value)}" for name, value in values.items())
    return ", ".join(texts)
