"""The smaller tables of a report, and the facts below the large one, as texts ready to print."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces import Choice, Stratum, StudySpec
from study.cell import Cell
from study.claim import Pair, compared, judge
from study.comparison import seeds_needed
from study.effect import effect_rows
from study.number import MISSING, duration_text, plural, value_text
from study.record import TrialRecord
from study.table import Table

_NAMES = ("dataset", "latent size", "prior")
_WORDS = frozenset(
    {"kind", "dataset", "prior", "from", "status", "variant", "reason", "stratum", "phase"}
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts.

    Attributes:
        title: its heading.
        caption: how to read it.
        headers: the names of the columns.
        rows: one text a column; the whole table is left out where there are none.
        missing: what is said without rows; if empty, nothing at all is shown.
        words: the headers whose columns hold words; the others hold numbers.
    """

    title: str
    caption: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    missing: str = ""
    words: frozenset[str] = _WORDS


def best_configs(spec: StudySpec, table: Table) -> Grid:
    """What the search chose in each stratum, by searched field."""
    fields = list(dict.fromkeys(f for s in spec.cells() for f in spec.domains_of(s)))
    rows = []
    for cell in table.cells:
        trial = cell.best_trial
        if trial is not None:
            searched = spec.domains_of(cell.stratum)
            values = (_field(trial.config, f) if f in searched else MISSING for f in fields)
            rows.append((*_names(cell.stratum), trial.phase, *values))
    return Grid(
        "Best config of each stratum",
        "The searched fields only. “confirm” means that the config was trained again with fresh"
        f" seeds, “search” that it leads the search so far; {MISSING} where a prior has no such"
        " field.",
        (*_NAMES, "from", *(_field_name(f) for f in fields)),
        rows,
        missing="No trial is complete yet, so no config stands out." if table.cells else "",
        words=_WORDS | {_field_name(f) for f in fields if _is_named(spec, f)},
    )


def budget(table: Table) -> Grid:
    """What each stratum took."""
    rows = [
        (
            *_names(cell.stratum), cell.status, str(len(cell.search)), _share_pruned(cell),
            str(len(cell.confirm)), f"{cell.epochs:,}", duration_text(cell.seconds),
        )
        for cell in table.cells
    ]  # fmt: skip
    return Grid(
        "Budget spent",
        "Trials bind the budget of a stratum; epochs and time count search and confirm together."
        " Time is that of training and evaluation, summed over trials that ran side by side.",
        (*_NAMES, "status", "search trials", "pruned", "confirm trials", "epochs", "time"),
        rows,
    )


def variants(table: Table) -> Grid:
    """The variants of the space against the first of their stratum."""
    return Grid(
        "Variants",
        "Fixed configs, trained with fresh seeds and without search; they do not compete in the"
        " table. ± is the standard deviation over seeds; the difference is to the first variant of"
        " the stratum, with Welch's 95 % interval, not corrected for the number of variants. A"
        " variant that changes nothing in a stratum is not trained again there.",
        ("dataset", "latent size", "prior", "variant", "test FID", "seeds", "difference",
         "95 % interval", "FID is"),
        effect_rows(table),
        words=_WORDS | {"FID is"},
    )  # fmt: skip


def comparisons(table: Table) -> Grid:
    """Every two priors of a column, with Welch's test."""
    rows = []
    for column in table.columns().values():
        pairs = compared(itertools.combinations(column, 2))
        rows += [(*_column_names(p.first), *_comparison(p, len(pairs))) for p in pairs]
    return Grid(
        "Comparisons between priors",
        "Difference of the mean test FIDs with Welch's 95 % interval; p is Holm's, for all"
        " comparisons of one data set and latent size. “cannot tell” is no claim of equality:"
        " the last column says how many seeds a side would find a difference of this size in four"
        " of five studies.",
        ("dataset", "latent size", "prior", "against", "difference", "95 % interval", "p",
         "its FID is", "seeds needed"),
        rows,
        words=_WORDS | {"against", "its FID is"},
    )  # fmt: skip


def claims(spec: StudySpec, table: Table) -> Grid:
    """The verdict on each claim of the space."""
    return Grid(
        "Claims",
        "Written in the space before it ran. Each verdict follows from the tests beside it, with"
        " Holm's correction; “cannot tell” means that these seeds cannot decide.",
        ("claim", "verdict", "evidence"),
        [
            (f"{j.claim.name}: {j.claim.text}" if j.claim.text else j.claim.name, j.verdict,
             "; ".join(j.evidence))
            for j in judge(table, (c for c in spec.claims if c.dataset in spec.strata.dataset))
        ],
        words=_WORDS | {"claim", "verdict", "evidence"},
    )  # fmt: skip


def failures(table: Table) -> Grid:
    """Failed trials by kind and reason."""
    failed = [
        (cell.stratum, record)
        for cell in (*table.cells, *table.variants)
        for record in cell.trials
        if record.state == "FAIL"
    ]
    reasons = Counter(
        (_failure_kind(record), record.reason or "no reason recorded", str(stratum), record.phase)
        for stratum, record in failed
    )
    return Grid(
        "Failures",
        "Trials that ended without a result, after the further attempts that each kind of failure"
        " has; the study went on without them.",
        ("kind", "reason", "stratum", "phase", "trials"),
        [(*key, str(count)) for key, count in reasons.most_common()],
        missing="No trial failed.",
    )


def _failure_kind(record: TrialRecord) -> str:
    return str(record.attributes.get("failure", MISSING))


def caption_facts(
    spec: StudySpec, table: Table, commit: str, versions: Mapping[str, str]
) -> list[tuple[str, str]]:
    """How the table's numbers were made, as name and text."""
    protocols = table.protocols()
    fids = [(f"FID on {dataset}", _listed(protocol)) for dataset, protocol in protocols.items()]
    asked = f"{_listed(spec.fid.model_dump(exclude_none=True))} (nothing tested yet)"
    return [
        *(fids or [("FID", asked)]),
        ("objective", f"{spec.objective}; a trial is judged by its validation FID at the rungs"),
        ("epochs", f"{spec.budget.max_epochs} in search, {spec.confirm_epochs} in confirm"),
        ("budget", f"{plural(spec.budget.trials_per_stratum, 'search trial')} a stratum"),
        ("seeds", f"{plural(spec.confirm.num_seeds, 'confirm seed')}; study seed {spec.seed}"),
        ("commit", commit or "unknown"),
        ("versions", _listed(versions) or "unknown"),
    ]


def _column_names(cell: Cell) -> tuple[str, str]:
    return cell.stratum.dataset, str(cell.stratum.latent_size)


def _comparison(pair: Pair, num_comparisons: int) -> tuple[str, ...]:
    names = pair.first.stratum.prior, pair.second.stratum.prior
    found = pair.comparison
    if found is None:
        return (*names, MISSING, MISSING, MISSING, "one seed is not enough", MISSING)
    low, high = found.interval
    deviation = max(cell.standard_deviation or 0.0 for cell in (pair.first, pair.second))
    needed = seeds_needed(found.difference, deviation, num_comparisons)
    return (
        *names, f"{found.difference:+.2f}", f"{low:+.2f} … {high:+.2f}",
        f"{found.adjusted_p:.2g}", found.verdict, "over 200" if needed is None else str(needed),
    )  # fmt: skip


def _names(stratum: Stratum) -> tuple[str, str, str]:
    return stratum.dataset, str(stratum.latent_size), stratum.prior


def _field(config: Mapping[str, Any], path: str) -> str:
    value: Any = config
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value_text(value)


def _field_name(path: str) -> str:
    """A dotted field in words.

    >>> _field_name("prior.beta_schedule.num_steps"), _field_name("kl_annealing.kind")
    ('beta schedule steps', 'kl annealing')
    """
    parts = path.removeprefix("prior.").removeprefix("optimizer.").removesuffix(".kind")
    return parts.replace(".num_", ".").replace(".", " ").replace("_", " ")


def _is_named(spec: StudySpec, path: str) -> bool:
    """Whether the values of a searched field are words."""
    domains = (own[path] for own in spec.domains.values() if path in own)
    return any(isinstance(d, Choice) and isinstance(d.values[0], str) for d in domains)


def _share_pruned(cell: Cell) -> str:
    return f"{cell.num_pruned / len(cell.search):.0%}" if cell.search else MISSING


def _listed(values: Mapping[str, Any]) -> str:
    texts = (f"{name.replace('_', ' ')} {value_text(value)}" for name, value in values.items())
    return ", ".join(texts)
