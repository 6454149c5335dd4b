"""A trial as an MLflow run says it: name, tags, params, metrics, description. No MLflow here.

Params are the config's fields by the names that `key=value` takes, but only those that differ
between trials of the study: what never varies stands once, in the study's own run, and the whole
config is an artifact. So the params of any two trials can be compared on one screen.

System metrics are those of the worker, by epoch; they lie in the history like all others.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.protocol import protocol_hash
from study.text import duration_text

VERSION = 1
ALWAYS = ("data.dataset", "prior.kind", "latent_size", "seed", "max_epochs")
# A rate for each of 200 dimensions stays in the history.
LEFT_OUT = ("epoch", "best_epoch", "rate_by_dimension")
_SYSTEM_METRICS = {
    "cpu_percent": "system/cpu_utilization_percentage",
    "memory_megabytes": "system/memory_usage_megabytes",
}
NOTE = "mlflow.note.content"


def trial_key(record: TrialRecord) -> str:
    """The trial's name within the study, such as `search/digits/flow/8/3`."""
    return f"{record.phase}/{record.stratum}/{record.number}"


def run_name(spec: StudySpec, record: TrialRecord) -> str:
    """`flow-8 #3`, `flow-8 confirm #0, tested`; the data set before it where there are several.

    Behind the cell stands the repeat of its search, from the second on: `flow-8 repeat-1 #3`.
    """
    words = [_cell(spec, record)]
    if record.stratum.repeat:
        words.append(f"repeat-{record.stratum.repeat}")
    if record.phase == "confirm":
        words.append("confirm")
    return " ".join([*words, f"#{record.number}"]) + (", tested" if record.test else "")


def tags(spec: StudySpec, record: TrialRecord) -> dict[str, str]:
    """What runs are filtered and grouped by."""
    stratum = record.stratum
    values = {
        "study": spec.name,
        "trial": trial_key(record),
        "phase": record.phase,
        "stratum": str(stratum),
        "cell": _cell(spec, record),
        "dataset": stratum.dataset,
        "prior": stratum.prior,
        "latent_size": str(stratum.latent_size),
        "repeat": str(stratum.repeat),
        "trial_number": str(record.number),
        "state": record.state,
        "reason": record.reason,
    }
    for name in ("variant", "retry_of", "control", "failure"):
        if record.attributes.get(name) not in (None, False):
            values[name] = str(record.attributes[name])
    if record.attributes.get("chosen_by"):
        values["chosen_by"] = ",".join(record.attributes["chosen_by"])
    if record.test:
        values["fid_protocol"] = protocol_hash(record.test.protocol)
    return values


def params(spec: StudySpec, record: TrialRecord) -> dict[str, str]:
    """The fields of the config that differ between trials of the study."""
    varied = {*varied_fields(spec), *record.attributes.get("overrides", {})}
    pairs = flat(record.config)
    return {name: str(value) for name, value in pairs if _is_shown(name, varied)}


def common_params(spec: StudySpec) -> dict[str, str]:
    """The fields that trials share, for the study's own run; those of each prior by its kind."""
    varied = varied_fields(spec)
    shared: dict[str, set[str]] = {}
    for cell in spec.cells():
        config = spec.trial_config(cell, {}).model_dump(mode="json")
        for name, value in flat(config):
            own = name.replace("prior.", f"priors.{cell.prior}.", 1)
            if not _is_shown(name, varied) and name != "rungs":
                shared.setdefault(own if name.startswith("prior.") else name, set()).add(
                    str(value)
                )
    return {name: values.pop() for name, values in shared.items() if len(values) == 1}


def varied_fields(spec: StudySpec) -> set[str]:
    """Dotted fields that the search or a variant varies."""
    fields = {field for stratum in spec.cells() for field in spec.domains_of(stratum)}
    return fields | {field for overrides in spec.variants.values() for field in overrides}


def epoch_metrics(
    record: TrialRecord, share: float
) -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Epoch, seconds since the trial's first, and metrics, for each epoch.

    Args:
        record: the trial.
        share: devices that a trial takes; `device_seconds` is the cost up to an epoch.
    """
    totals = itertools.accumulate(measurement.seconds for measurement in record.measurements)
    for measurement, seconds in zip(record.measurements, totals, strict=True):
        scalars = measurement.scalars().items()
        metrics = {
            metric_name(name): float(v) for name, v in scalars if not name.startswith(LEFT_OUT)
        }
        yield measurement.epoch, seconds, metrics | {"device_seconds": seconds * share}


def metric_name(name: str) -> str:
    """What MLflow calls a number of a measurement; system metrics have a page of their own.

    >>> metric_name("elbo"), metric_name("cpu_percent")
    ('elbo', 'system/cpu_utilization_percentage')
    """
    return _SYSTEM_METRICS.get(name, name)


def description(spec: StudySpec, record: TrialRecord) -> str:
    """Markdown: what the trial is, how it ended, what it chose."""
    stratum, cost = record.stratum, sum(m.seconds for m in record.measurements)
    title = f"**{run_name(spec, record)}** of study *{spec.name}*: prior `{stratum.prior}`,"
    lines = [f"{title} {stratum.latent_size} latents, on `{stratum.dataset}`.", ""]
    lines += [f"{_ending(record)} {len(record.measurements)} epochs in {duration_text(cost)}.", ""]
    if record.value is not None:
        lines += [f"Validation FID {record.value:.4g} (lower is better).", ""]
    if record.test:
        lines += [f"Test FID {record.test.test_fid:.4g}, looked at once.", ""]
    lines += ["| field | value |", "|---|---|"]
    lines += [f"| `{name}` | {value} |" for name, value in params(spec, record).items()]
    return "\n".join(lines)


def digest(*parts: object) -> str:
    """Changes with anything that a run shows."""
    text = json.dumps([VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted field and value; what is None is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _is_shown(name: str, varied: set[str]) -> bool:
    return any(name == field or name.startswith(f"{field}.") for field in (*ALWAYS, *varied))


def _cell(spec: StudySpec, record: TrialRecord) -> str:
    """The stratum in short, such as `flow-8`, with the variant, or a further criterion's choice.

    Runs of one cell are averaged in charts, as in the table: all its repeats are of one.
    """
    stratum = record.stratum
    words = [stratum.dataset] if len(spec.strata.dataset) > 1 else []
    words.append(f"{stratum.prior}-{stratum.latent_size}")
    if "variant" in record.attributes:
        words.append(record.attributes["variant"])
    chosen_by = record.attributes.get("chosen_by")
    if chosen_by and spec.confirm.by[0] not in chosen_by:
        words.append(f"by {chosen_by[0]}")
    return " ".join(words)


def _ending(record: TrialRecord) -> str:
    match record.state:
        case "RUNNING":
            return "Not ended yet."
        case "FAIL":
            return f"It failed: {record.reason}."
        case _ if record.reason:
            return f"{record.state}: {record.reason}."
        case _:
            return "It ran to its end."
