"""`study show`: a space for a person, before anything runs."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table

from search_spaces import Choice, Domain, StudySpec
from study.preview.extent import epochs, has_fresh_seeds, num_confirm_configs, num_confirm_trials
from study.text import MISSING, duration_text

if TYPE_CHECKING:
    from study.preview.cost import ModelCost

# Measured for this training: two CPU cores with vector units, and one H200, both without tricks.
SPEEDS = {"two CPU cores": 1.5e11, "one H200": 1e14}


def show_space(spec: StudySpec, console: Console) -> None:
    """Prints strata, domains, budget, models, and what the study will take."""
    console.print(f"[bold]{spec.name}[/]  {spec.description}")
    axes = spec.strata
    console.print(
        f"{len(spec.cells())} strata: {', '.join(axes.dataset)} × {', '.join(axes.prior)} × latent"
        f" {', '.join(map(str, axes.latent_size))}; objective {spec.objective}"
        + (f"; {spec.search.num_repeats} repeats of each" if spec.search.num_repeats > 1 else "")
    )
    if spec.domains:
        console.print(_domains(spec))
    if spec.variants:
        console.print(f"variants: {', '.join(spec.variants)}", soft_wrap=True)
    console.print(_budget(spec))
    console.print(_models(spec))
    for note in (*_chain_notes(spec), *_variance_notes(spec)):
        console.print(f"[yellow]note[/]: {note}", soft_wrap=True)


def _domains(spec: StudySpec) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("varies in", "field", "over"):
        table.add_column(name)
    for key, domains in spec.domains.items():
        for path, domain in domains.items():
            table.add_row("every stratum" if key == "all" else key, path, _text(domain))
    return table


def _text(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return ", ".join(map(str, domain.values))
    scale = ", log scale" if domain.is_logarithmic else ""
    return f"{domain.low:g} … {domain.high:g}{scale}"


def _budget(spec: StudySpec) -> str:
    budget = spec.budget
    least, most = _summed(epochs(spec, stratum) for stratum in spec.searches())
    num_search = len(spec.searches()) * budget.trials_per_stratum
    rungs = ", ".join(map(str, budget.rungs)) or MISSING
    search = (
        f"search: {budget.trials_per_stratum} trials a stratum, {num_search} in all, at most"
        f" {budget.max_epochs} epochs each, pruned at {rungs}"
        if num_search
        else "search: none"
    )
    return (
        f"{search}\n{_confirm(spec)}\nepochs: {most:,}"
        + (f" at most, {least:,} at least" if least < most else "")
        + f"; a trial takes {spec.resources.cpus} CPU and {spec.resources.gpus:g} GPU"
    )


def _confirm(spec: StudySpec) -> str:
    num_seeds = spec.confirm.num_seeds
    configs = _summed(num_confirm_configs(spec, stratum) for stratum in spec.searches())
    trials = _summed(num_confirm_trials(spec, stratum) for stratum in spec.searches())
    fresh = has_fresh_seeds(spec)
    return (
        f"confirm: {_range_text(configs)} configs × {num_seeds} seeds,"
        + (f" then {num_seeds} fresh seeds of each chosen config," if fresh else "")
        + f" {_range_text(trials)} trials in all, {spec.confirm_epochs} epochs each;"
        f" then a test FID {'of each fresh seed' if fresh else 'each'}"
        f" ({spec.fid.features} features, {spec.fid.num_samples} samples)"
    )


def _summed(ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    least, most = map(sum, zip(*ranges, strict=True))
    return least, most


def _range_text(values: tuple[int, int]) -> str:
    least, most = values
    return str(least) if least == most else f"{least} to {most}"


def _models(spec: StudySpec) -> RenderableType:
    # Here, so that all else is on the screen before torch is loaded.
    from study.preview.cost import model_costs

    costs = model_costs(spec)
    table = Table(box=None, pad_edge=False)
    table.add_column("stratum")
    for name in ("encoder", "decoder", "prior parameters", "operations an image", "an epoch"):
        table.add_column(name, justify="right")

    for cost in costs:
        counts = (f"{count:,}" for count in (cost.encoder, cost.decoder, cost.prior))
        operations = f"{cost.operations_per_image / 1e6:,.1f} M"
        table.add_row(str(cost.stratum), *counts, operations, _epoch_text(cost))
    return Group(table, _total(spec, costs))


def _chain_notes(spec: StudySpec) -> list[str]:
    from study.preview.end_signal import chain_notes

    return chain_notes(spec)


def _variance_notes(spec: StudySpec) -> list[str]:
    from study.preview.variance import variance_notes

    return variance_notes(spec)


def _epoch_text(cost: "ModelCost") -> str:
    operations = cost.operations_per_epoch
    return MISSING if operations is None else f"{_rounded(operations / 1e12)} T"


def _total(spec: StudySpec, costs: Sequence["ModelCost"]) -> str:
    """What the whole study takes in arithmetic; small models are bound by overhead instead."""
    known = [cost for cost in costs if cost.operations_per_epoch is not None]
    if len(known) < len(costs):
        return "cost: unknown until every data set is prepared"
    most = sum((c.operations_per_epoch or 0.0) * epochs(spec, c.stratum)[1] for c in known)
    most *= spec.search.num_repeats
    times = " or ".join(
        f"{_hours(most / speed)} on {machine}" for machine, speed in SPEEDS.items()
    )
    return (
        f"cost: {_rounded(most / 1e15)} × 10¹⁵ operations at most, {times} of arithmetic alone;\n"
        "small models and small batches take longer than their arithmetic"
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.0f} h" if seconds > 100 * 3600 else duration_text(seconds)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
