"""What the search varied: the best configs, and how much each field matters within a prior."""

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces import Choice, StudySpec
from study.record import TrialRecord
from study.tables.cell import Cell
from study.tables.grid import STRATUM, Column, Grid, Row, number, stratum_row, word
from study.tables.table import Table
from study.text import MISSING, share_text

FEWEST_TRIALS = 12


def best_configs(spec: StudySpec, table: Table) -> Grid:
    """What the search chose in each stratum, by searched field."""
    fields = list(dict.fromkeys(f for s in spec.cells() for f in spec.domains_of(s)))
    rows = []
    for cell in table.by_column():
        trial = cell.best_trial
        if trial is not None:
            searched = spec.domains_of(cell.stratum)
            values = {f: field_of(trial, f) if f in searched else None for f in fields}
            rows.append({**stratum_row(cell.stratum), "from": trial.phase, **values})
    return Grid(
        "best_configs",
        "Best config of each stratum",
        "The searched fields only. “confirm” means that the config was trained again with fresh"
        f" seeds, “search” that it leads the search so far; {MISSING} where a prior has no such"
        f" field.{_of_first(table)}",
        (
            *STRATUM, word("from"),
            *(Column(field_name(f), (f,), is_word=is_named(spec, f)) for f in fields),
        ),
        rows,
        missing="No trial is complete yet, so no config stands out." if table.cells else "",
        group_by=("dataset", "latent_size"),
    )  # fmt: skip


def _of_first(table: Table) -> str:
    if any(cell.repeats for cell in table.cells):
        return " Where the search was repeated, it is that of the first repeat."
    return ""


def field_importances(spec: StudySpec, table: Table) -> Grid:
    """How much each searched field decides in each stratum."""
    return Grid(
        "importances",
        "Which searched fields matter",
        "The share of each field in what sets the best quarter of a stratum's search trials apart"
        " from all of them (PED-ANOVA; a pruned trial counts as worse than every complete one)."
        " The sampler does not try values evenly, and fields that act only together may both look"
        f" small: a guide to where to look, not a test. Strata of fewer than {FEWEST_TRIALS}"
        " trials are left out.",
        (
            *STRATUM, word("field", "field_name"), number("trials", "num_trials"),
            number("importance", text=share_text),
        ),
        [row for cell in table.by_column() for row in _importance_rows(spec, cell)],
        missing=f"No stratum has {FEWEST_TRIALS} search trials yet, and fewer tell too little."
        if any(spec.domains_of(cell.stratum) for cell in table.cells)
        else "",
        group_by=("dataset", "latent_size", "prior"),
    )  # fmt: skip


def ranked_trials(cell: Cell) -> list[tuple[TrialRecord, float]]:
    """The search trials in one order: complete ones by their FID, then pruned ones by theirs."""
    complete = [(r, r.value) for r in cell.search if r.state == "COMPLETE" and r.value is not None]
    worst = max((value for _, value in complete), default=0.0)
    pruned = [(r, r.value) for r in cell.search if r.state == "PRUNED" and r.value is not None]
    return [*complete, *((record, worst + value) for record, value in pruned)]


def field_of(record: TrialRecord, path: str) -> Any:
    """The value of a dotted field in a trial's config; None where it has none."""
    value: Any = record.config
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def field_name(path: str) -> str:
    """A dotted field in words.

    >>> field_name("prior.beta_schedule.num_steps"), field_name("kl_annealing.kind")
    ('beta schedule steps', 'kl annealing')
    """
    parts = path.removeprefix("prior.").removeprefix("optimizer.").removesuffix(".kind")
    return parts.replace(".num_", ".").replace(".", " ").replace("_", " ")


def is_named(spec: StudySpec, path: str) -> bool:
    """Whether the values of a searched field are words."""
    domains = (own[path] for own in spec.domains.values() if path in own)
    return any(isinstance(d, Choice) and isinstance(d.values[0], str) for d in domains)


def _importance_rows(spec: StudySpec, cell: Cell) -> Iterator[Row]:
    domains, trials = spec.domains_of(cell.stratum), ranked_trials(cell)
    if len(trials) < FEWEST_TRIALS or not domains:
        return
    from study.ledger.importance import importances  # whoever only needs names: no Optuna

    valued = [({f: field_of(r, f) for f in domains}, value) for r, value in trials]
    # One value tells nothing, yet few trials would give it a share.
    varied = {f: d for f, d in domains.items() if len({v[f] for v, _ in valued}) > 1}
    found = dict.fromkeys(domains, 0.0) | (importances(varied, valued) if varied else {})
    for path in sorted(domains, key=lambda path: -found[path]):
        yield {
            **stratum_row(cell.stratum), "field": path, "field_name": field_name(path),
            "num_trials": len(trials), "importance": found[path],
        }  # fmt: skip
