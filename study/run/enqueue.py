"""Configs that people want tried first: an exported file, or plain overrides, in a stratum."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from search_spaces import Choice, Stratum, StudySpec, complaint, did_you_mean, read_yaml
from search_spaces.override import CHOOSABLE, check_choosable
from study.export import load_export
from trainables.config import TrialConfig
from trainables.error import InputError

# The trial's own, whatever it was where the config comes from.
_OWN = ("seed", "max_epochs", "rungs")


@dataclass(frozen=True, slots=True)
class Wish:
    """A trial to be tried first.

    Attributes:
        stratum: where.
        params: values of fields that the search varies there.
        overrides: values of other fields.
    """

    stratum: Stratum
    params: dict[str, Any]
    overrides: dict[str, Any]


def load_wish(path: Path, spec: StudySpec) -> Wish:
    """The config in a file, if it fits the space.

    An export has its stratum and its whole config; a plain file has `stratum:` beside the fields
    that it sets, and needs no stratum where the space has one only.

    Raises:
        InputError: another stratum, a field that is not a trial's to choose, or a wrong value.
    """
    values = _read(path)
    stratum = _stratum(path, values.pop("stratum", None), spec)
    if "config" in values:
        fields = _from_config(path, load_export(path).config, stratum, spec)
    else:
        fields = dict(_flat(values))
    domains = spec.domains_of(stratum)
    try:
        for field in fields:
            check_choosable(path.name, field)
        spec.trial_config(stratum, fields)
    except ValidationError as error:
        raise InputError(f"{path}: {complaint(error, TrialConfig)}") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    params = {field: value for field, value in fields.items() if field in domains}
    for field, value in params.items():
        _check_inside(path, field, value, domains[field])
    return Wish(stratum, params, {f: v for f, v in fields.items() if f not in params})


def _read(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} needs to hold an exported config, or fields of one")
    return values


def _stratum(path: Path, name: object, spec: StudySpec) -> Stratum:
    searches = {str(stratum): stratum for stratum in spec.searches()}
    if name is None and len(searches) == 1:
        return spec.cells()[0]
    if name is None:
        raise InputError(f"{path} needs a stratum, one of {', '.join(searches)}")
    if str(name) not in searches:
        hint = did_you_mean(str(name), searches)
        raise InputError(f"{path}: the study has no stratum {str(name)!r}{hint}")
    return searches[str(name)]


def _from_config(
    path: Path, config: TrialConfig, stratum: Stratum, spec: StudySpec
) -> dict[str, Any]:
    """Fields of a whole config that the search varies, or that differ from the space's."""
    base = dict(_flat(spec.trial_config(stratum, {}).model_dump(mode="json")))
    domains = spec.domains_of(stratum)
    fields = {}
    for field, value in _flat(config.model_dump(mode="json")):
        is_same = field in base and base[field] == value
        if field in _OWN or (is_same and field not in domains):
            continue
        if field.partition(".")[0] not in CHOOSABLE:
            raise InputError(
                f"{path} was made with {field}={value}, the study has {base.get(field)}; that is"
                " not a trial's to choose"
            )
        fields[field] = value
    return fields


def _check_inside(path: Path, field: str, value: Any, domain: Any) -> None:
    if isinstance(domain, Choice):
        is_inside, needs = value in domain.values, f"one of {list(domain.values)}"
    else:
        is_inside = domain.low <= value <= domain.high
        needs = f"between {domain.low} and {domain.high}"
    if not is_inside:
        raise InputError(f"{path}: {field} is searched {needs}, got {value!r}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
