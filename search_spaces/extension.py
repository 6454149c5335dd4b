"""Which changes of a space an existing study takes: those that leave its trials comparable.

A study may grow. Whatever a finished trial was judged by, or its config was made of, stays.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces.domain import Choice, Domain
from search_spaces.spec import StudySpec
from trainables.error import InputError

# Fields without a bearing on what a trial finds, or on how it compares.
_FREE = ("description", "resources", "search.sampler", "plugins")
# Whole numbers that may grow, and lists that may get longer.
_GROWING = ("budget.trials_per_stratum", "confirm.num_seeds", "search.num_repeats")
_LENGTHENING = ("strata.dataset", "strata.prior", "strata.latent_size")
_ABSENT = object()


def check_extension(before: StudySpec, after: StudySpec) -> None:
    """Refuses a change that would make old trials incomparable with new ones.

    Free are the description, the resources and the sampler; more trials, more confirm seeds, more
    repeats, more strata and wider intervals are an extension; fields of priors, domains and data
    sets that no stratum had may come. Choices stay as they are, since Optuna compares no trials of
    one study across different lists of choices.

    Raises:
        InputError: another field changed, or one of these in the other direction.
    """
    for field, old, new in _changes(before, after):
        needs = _needs(field, old, new, before)
        if needs:
            raise InputError(
                f"study {before.name!r} was started with {field}={_shown(old)}, not {_shown(new)};"
                f" {needs}, or give the new study another --name"
            )


def _changes(before: StudySpec, after: StudySpec) -> Iterator[tuple[str, Any, Any]]:
    old, new = (dict(_fields(spec)) for spec in (before, after))
    for field in sorted(old.keys() | new.keys()):
        values = old.get(field, _ABSENT), new.get(field, _ABSENT)
        if values[0] != values[1] and not field.startswith(_FREE):
            yield field, *values


def _needs(field: str, old: Any, new: Any, before: StudySpec) -> str:
    """What the field's value needs to be; empty where it is an extension."""
    if field in _GROWING:
        if old == 0:
            return "a study without a search gets none"
        return "" if new > old else f"it may only grow from {old}"
    if field in _LENGTHENING:
        return "" if set(old) <= set(new) else "values may be added, none taken away"
    group, _, name = field.partition(".")
    if group == "domains":
        return _needs_of_domain(name.split(".", 1)[0], old, new, before)
    if old is _ABSENT and group == "datasets":
        return ""
    if group == "priors" and name.partition(".")[0] not in before.strata.prior:
        return ""
    return "leave it as it was"


def _needs_of_domain(prior: str, old: Any, new: Any, before: StudySpec) -> str:
    if prior not in ("all", *before.strata.prior):
        return ""
    if old is _ABSENT:
        return ""
    if new is _ABSENT or old.kind != new.kind:
        return "a domain stays, and of its kind"
    if isinstance(old, Choice):
        return "choices stay as they are, since Optuna compares no trials across other ones"
    return "" if new.low <= old.low and old.high <= new.high else "an interval may only widen"


def _fields(spec: StudySpec) -> Iterator[tuple[str, Any]]:
    """Every field by its dotted name; a domain is one value."""
    values = spec.model_dump(mode="json", exclude={"name", "domains"})
    yield from _flat(values, "")
    for group, domains in spec.domains.items():
        for path, domain in domains.items():
            yield f"domains.{group}.{path}", domain


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, Choice):
        return str(list(value.values))
    return str(_plain(value))


def _plain(value: Domain | Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
