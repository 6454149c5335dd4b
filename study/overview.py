"""`study show`: a space for a person, before anything runs."""

from rich.console import Console
from rich.table import Table

from search_spaces import Choice, Domain, StudySpec


def show_space(spec: StudySpec, console: Console) -> None:
    """Prints strata, domains, budget, and the epochs that the study will take."""
    console.print(f"[bold]{spec.name}[/]  {spec.description}")
    axes = spec.strata
    console.print(
        f"{len(spec.cells())} strata: {', '.join(axes.dataset)} × {', '.join(axes.prior)} × latent"
        f" {', '.join(map(str, axes.latent_size))}"
    )
    console.print(_domains(spec))
    console.print(_budget(spec))


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
    budget, confirm, cells = spec.budget, spec.confirm, len(spec.cells())
    num_configs = len(spec.variants) or confirm.num_configs
    confirm_epochs = confirm.max_epochs or budget.max_epochs
    search = cells * budget.trials_per_stratum
    confirmed = cells * num_configs * confirm.num_seeds
    most = search * budget.max_epochs + confirmed * confirm_epochs
    least = search * min([*budget.rungs, budget.max_epochs]) + confirmed * confirm_epochs
    return (
        f"search: {budget.trials_per_stratum} trials a stratum, {search} in all, at most"
        f" {budget.max_epochs} epochs each, pruned at {', '.join(map(str, budget.rungs)) or '-'}\n"
        f"confirm: {num_configs} config(s) × {confirm.num_seeds} seeds a stratum, {confirmed} in"
        f" all, {confirm_epochs} epochs each; then a test FID each"
        f" ({spec.fid.features} features, {spec.fid.num_samples} samples)\n"
        f"cost: between {least} and {most} epochs, {spec.resources.cpus} CPU and"
        f" {spec.resources.gpus:g} GPU a trial"
    )
