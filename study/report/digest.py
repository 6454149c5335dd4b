"""The smaller tables of a report, and the facts below the large one, as texts ready to print."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces import Choice, Stratum, StudySpec
from study.number import MISSING, duration_text, fid_text, plural, value_text
from study.record import TrialRecord
from study.report.cell import Cell
from study.report.effect import effect_rows
from study.report.table import Table

_NAMES = ("dataset", "latent size", "prior")
_FID_PARTS = ("reconstruction_fid", "aggregate_fid", "prior_hole", "fid_noise")
_OTHER_PARTS = ("kid", "precision", "recall")
WORDS = frozenset(
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
    words: frozenset[str] = WORDS


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
        words=WORDS | {_field_name(f) for f in fields if _is_named(spec, f)},
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
        words=WORDS | {"FID is"},
    )  # fmt: skip


def fid_parts(table: Table) -> Grid:
    """What the test FID of each cell is made of."""
    rows = [
        (
            *_names(cell.stratum), cell.variant or MISSING, fid_text(cell.mean),
            *(fid_text(cell.mean_part(name)) for name in _FID_PARTS),
            *(value_text(cell.mean_part(name)) for name in _OTHER_PARTS),
        )
        for cell in (*table.cells, *table.variants)
        if cell.mean_part("aggregate_fid") is not None
    ]  # fmt: skip
    return Grid(
        "What the test FID is made of",
        "Means over seeds; lower is better, but for precision and recall. Reconstruction: test"
        " images through encoder and decoder, which is what the decoder loses. Aggregate: decoded"
        " draws from the posteriors of train images, which a perfect prior would reach. The hole"
        " is the test FID minus that: what the prior misses. Noise is the standard deviation of"
        " the test FID over four draws of samples. KID, precision and recall are of the test"
        " FID's own samples and features.",
        (*_NAMES, "variant", "test FID", "reconstruction", "aggregate", "hole", "noise", "KID",
         "precision", "recall"),
        rows,
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
        *_tested_again(table),
        ("commit", commit or "unknown"),
        ("versions", _listed(versions) or "unknown"),
    ]


def _tested_again(table: Table) -> list[tuple[str, str]]:
    """Where the test split was looked at for more than one config, and why."""
    told = [
        f"{cell.stratum}: {why}"
        for cell in table.cells
        if cell.chosen
        for why in cell.chosen[0].attributes.get("retests", ())
    ]
    return [("another config tested after the first", "; ".join(told))] if told else []


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
