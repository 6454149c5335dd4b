"""Where a validation error lies: pydantic's location, read along the models it went through."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from trainables.config import PriorConfigBase, prior_config_class, prior_kinds


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file.

    Attributes:
        path: the dotted path as its writer knows it, without positions in lists and without the
            words that pydantic adds for members of a union.
        fields: names of the fields that may stand there; empty where the writer names them.
        kinds: what `kind` may be there, where it is a union on it.
    """

    path: str
    fields: tuple[str, ...]
    kinds: tuple[str, ...]


def locate(model: type[BaseModel], loc: Sequence[int | str]) -> Location:
    """Reads a location of pydantic along the types it went through."""
    here: Any = model
    names: list[str] = []
    fields: tuple[str, ...] = ()
    for part in loc:
        here = _plain(here)
        members = _members(here)
        if part in members:
            here = members[str(part)]
        elif _is_model(here):
            fields = tuple(here.model_fields)
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
            names.append(str(part))
        elif get_origin(here) is dict:
            fields, here = (), get_args(here)[1]
            names.append(str(part))
        elif get_origin(here) is tuple:
            here = get_args(here)[0]
    return Location(".".join(names), fields, tuple(_members(_plain(here))))


def _plain(annotation: Any) -> Any:
    """The type without its constraints, and without the None that may stand for it."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    rest = [arg for arg in get_args(annotation) if arg is not NoneType]
    is_optional = NoneType in get_args(annotation)
    return _plain(rest[0]) if is_optional and len(rest) == 1 else annotation


def _members(annotation: Any) -> dict[str, type[BaseModel]]:
    """The members of a union on `kind`; pydantic names them by it in a location."""
    if annotation is PriorConfigBase:
        return {kind: prior_config_class(kind) for kind in prior_kinds()}
    models = [member for member in get_args(annotation) if _is_model(member)]
    kinds = [(m, m.model_fields["kind"]) for m in models if "kind" in m.model_fields]
    return {name: m for m, kind in kinds for name in get_args(kind.annotation)}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
