"""A pydantic error as one sentence: what came, what is needed, the nearest right name."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from search_spaces.location import locate

_Context = dict[str, Any]
# What each kind of error needs, after "needs to be"; everything else is told in pydantic's words.
_NEEDS: dict[str, Callable[[_Context], str]] = {
    "greater_than": lambda context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"at least {context['ge']:g}",
    "less_than": lambda context: f"less than {context['lt']:g}",
    "less_than_equal": lambda context: f"at most {context['le']:g}",
    "multiple_of": lambda context: f"a multiple of {context['multiple_of']:g}",
    "finite_number": lambda _: "a finite number",
    "int_from_float": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "int_type": lambda _: "a whole number",
    "float_parsing": lambda _: "a number",
    "float_type": lambda _: "a number",
    "bool_parsing": lambda _: "true or false",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text",
    "string_too_long": lambda context: f"at most {context['max_length']} characters long",
    "string_pattern_mismatch": lambda _: "letters, digits, - and _, a letter or digit first",
    "too_short": lambda _: "a list of at least one value",
    "tuple_type": lambda _: "a list",
    "list_type": lambda _: "a list",
    "dict_type": lambda _: "a group of fields",
    "model_type": lambda _: "a group of fields",
    "model_attributes_type": lambda _: "a group of fields",
    "union_tag_not_found": lambda _: "a group of fields",
    "invalid_key": lambda _: "text, as every field's name is",
    "literal_error": lambda context: _one_of(_choices(context)),
}  # fmt: skip


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about a wrong name: the nearest right one, or all of them.

    >>> did_you_mean("difusion", ["gaussian", "flow", "diffusion"])
    '; did you mean diffusion?'
    >>> did_you_mean("x", ["gaussian", "flow"])
    '; there is: flow, gaussian'
    """
    known = sorted(set(names))
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there is: {', '.join(known)}"


def complaint(error: ValidationError, model: type[BaseModel]) -> str:
    """The first error of a validation, as one sentence about the field that caused it."""
    first = _first(error)
    place = locate(model, first["loc"])
    match first["type"]:
        case "extra_forbidden":
            name = str(first["loc"][-1])
            return f"{place.path} is not a field{did_you_mean(name, place.fields)}"
        case "missing":
            return f"{place.path} is missing"
        case "value_error":
            reason = str(first["ctx"]["error"])
            return f"{place.path}: {reason}" if place.path else reason
        case "union_tag_invalid":
            return _wrong(f"{place.path}.kind", _one_of(place.kinds), first["ctx"]["tag"])
        case "union_tag_not_found" if isinstance(first["input"], dict):
            return f"{place.path}.kind is missing; it needs to be {_one_of(place.kinds)}"
    # A union without a kind leaves one error per member.
    came = repr(first["input"])
    same = [e for e in error.errors(include_url=False) if repr(e["input"]) == came]
    needs = [_need(e) for e in same if locate(model, e["loc"]).path == place.path]
    return _wrong(place.path, _one_of(dict.fromkeys(needs)), first["input"])


def place_of(error: ValidationError, model: type[BaseModel]) -> str:
    """The dotted path of the field that `complaint` is about."""
    return locate(model, _first(error)["loc"]).path


def _first(error: ValidationError) -> Any:
    """A misspelt field comes first: where its right name is required, that is missing, too."""
    errors = error.errors(include_url=False)
    return min(errors, key=lambda e: e["type"] != "extra_forbidden")


def _wrong(path: str, needs: str, came: object) -> str:
    near = difflib.get_close_matches(str(came), needs.replace(" or ", ", ").split(", "), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{path} needs to be {needs}, got {_shown(came)}{hint}"


def _need(error: Any) -> str:
    if error["type"] in _NEEDS:
        return _NEEDS[error["type"]](error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Input should be ").splitlines()[0]


def _choices(context: _Context) -> list[str]:
    """The words that are allowed, out of pydantic's own enumeration of them."""
    return [word.strip(" '") for word in context["expected"].replace(" or ", ", ").split(",")]


def _one_of(words: Iterable[str]) -> str:
    *rest, last = words
    return f"{', '.join(rest)} or {last}" if rest else last


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a group of fields"
        case list() | tuple():
            return "a list" if value else "an empty one"
    return repr(value)
