"""What a trial may choose: single fields of its config, by dotted name."""

from collections.abc import Mapping
from typing import Any

from search_spaces.complaint import did_you_mean

Overrides = Mapping[str, Any]
# Everything else is the stratum's or the protocol's: varied, it would make trials incomparable.
CHOOSABLE = ("likelihood", "network", "kl_annealing", "optimizer", "prior")

# Groups that are a union on kind, and the kind of a group that names none.
UNIONS = {"likelihood": "gaussian", "network": "plain"}
KINDS = tuple(f"{group}.kind" for group in UNIONS)


def check_choosable(
    origin: str, path: str, *, also: tuple[str, ...] = (), groups: tuple[str, ...] = CHOOSABLE
) -> None:
    """Refuses a field that no trial may choose.

    Args:
        origin: where it stands, such as `domains.all`.
        path: the field's dotted name.
        also: names that are allowed as they stand.
        groups: groups whose fields are allowed.

    Raises:
        ValueError: the field belongs to the stratum or the protocol, or is a whole group.
    """
    group, _, field = path.partition(".")
    if path in also:
        return
    if group not in groups:
        raise ValueError(
            f"{origin}.{path} is not a trial's to choose, only fields of"
            f" {', '.join((*groups, *also))} are{_near(group)}"
        )
    if not field:
        raise ValueError(f"{origin}.{path} names a group of fields; name one, as {path}.<field>")
    if path == "prior.kind":
        raise ValueError(f"{origin}.prior.kind is not a trial's to choose: set strata.prior")


def forget_other_kind(values: dict[str, Any], path: str, value: object) -> None:
    """Empties a group whose kind is about to change: the other kind's fields are not its own."""
    group, _, field = path.partition(".")
    if group in UNIONS and field == "kind":
        fields = values.get(group)
        if isinstance(fields, dict) and fields.get("kind", UNIONS[group]) != value:
            values[group] = {}


def put(values: dict[str, Any], path: str, value: object) -> None:
    """Sets a value in nested dicts, by dotted name.

    Raises:
        ValueError: a part of the name before the last is a value, not a group.
    """
    forget_other_kind(values, path, value)
    *parents, name = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ValueError(f"{path} is not a field: {parent} has no parts")
    values[name] = value


def _near(group: str) -> str:
    hint = did_you_mean(group, CHOOSABLE)
    return hint if hint.endswith("?") else ""
