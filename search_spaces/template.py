"""A space as an annotated file, to write one's own from: every field, its range, its default.

What the space sets stands as it is; whatever it leaves at its default stands behind a `#`. Texts
come from the models themselves: their docstrings, their bounds and their defaults.
"""

import inspect
import textwrap
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from search_spaces.space import dump_yaml
from search_spaces.spec import StudySpec
from trainables.config import prior_config_class, prior_kinds

WIDTH = 95
DOMAINS = (
    "What the search varies: a choice of values, or a number between low and high (uniform,"
    " log_uniform, int_uniform, log_int_uniform)."
)
# Filled by a launch, or written for a study that goes on; nobody sets them by hand.
_LEFT_OUT = {"datasets", "revision"}


def annotated_space(values: Mapping[str, Any], name: str) -> str:
    """The text of a file that `load_space` reads as the same space under another name.

    Args:
        values: of the space, as its file has them.
        name: what the new space is called.
    """
    first = (
        f"`study show {name}.yaml` tells what it will cost, `study run {name}.yaml` runs it. A"
        " field behind # has the value that stands there."
    )
    lines = [*_comment(first), "#", *_about(StudySpec), ""]
    given = {**values, "name": name}
    for field in StudySpec.model_fields:
        if field not in _LEFT_OUT:
            lines += [*_field(StudySpec, field, given, 0), ""]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _field(model: type[BaseModel], name: str, given: Mapping[str, Any], depth: int) -> list[str]:
    """The lines of one field: set, or behind a # with its default."""
    info = model.model_fields[name]
    value = given.get(name, ...)
    default = info.get_default(call_default_factory=True)
    if model is StudySpec and name == "priors":
        return _priors(dict(value) if value is not ... else {}, given)
    held = value
    if value is ...:
        held = default.model_dump(mode="json") if isinstance(default, BaseModel) else {}
    inner = _inner_model(info.annotation, held, default)
    if inner is not None:
        kinds = _kinds(info.annotation)
        return _group(inner, name, held, depth, kinds, is_set=value is not ...)
    if value is ... and default is PydanticUndefined:
        return [_with_comment(f"{'  ' * depth}# {name}:", _range(model, name, ...))]
    shown = default if value is ... else value
    mark = "# " if value is ... else ""
    text = f"{'  ' * depth}{mark}{name}: {_flow(shown)}"
    if value is not ... and (len(text) > WIDTH or (isinstance(shown, dict) and shown)):
        about = _comment(DOMAINS) if model is StudySpec and name == "domains" else []
        block = dump_yaml({name: shown}).splitlines()
        return [f"{'  ' * depth}{line}" for line in (*about, *block)]
    return [_with_comment(text, _range(model, name, shown))]


def _group(
    model: type[BaseModel],
    name: str,
    given: Mapping[str, Any],
    depth: int,
    kinds: list[str],
    *,
    is_set: bool,
) -> list[str]:
    """A group of fields below its name, with what its class says about it."""
    mark = "" if is_set else "# "
    indent = "  " * depth
    about = [f"{indent}{line}" for line in _about(model)] if depth == 0 else []
    lines = [*about, f"{indent}{mark}{name}:"]
    for field in model.model_fields:
        inner = _field(model, field, given, depth + 1)
        if field == "kind" and kinds:
            inner = [_with_comment(inner[0].rpartition("  # ")[0].rstrip(), _listed(kinds))]
        lines += inner if is_set else [_behind_mark(line) for line in inner]
    return lines


def _priors(values: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What each kind of prior of the space shares, with all fields of its config."""
    lines = [*_comment("What the configs of each kind of prior share."), "priors:"]
    for kind in dict.fromkeys([*values, *given.get("strata", {}).get("prior", [])]):
        if kind not in prior_kinds():  # of a plugin that is not loaded
            lines += [f"  {line}" for line in dump_yaml({kind: values.get(kind, {})}).splitlines()]
            continue
        model = prior_config_class(kind)
        own = values.get(kind, {})
        lines.append(f"  {kind}:")
        for field in model.model_fields:
            if field != "kind":
                lines += _field(model, field, own, 2)
        if not own:
            lines[-len(model.model_fields) :] = map(
                _behind_mark, lines[-len(model.model_fields) :]
            )
    return lines if values else [_behind_mark(line) for line in lines]


def _behind_mark(line: str) -> str:
    """A line that is read as a comment, at its place."""
    stripped = line.lstrip()
    if stripped.startswith("#"):
        return line
    return f"{line[: len(line) - len(stripped)]}# {stripped}"


def _inner_model(annotation: Any, value: Any, default: Any) -> type[BaseModel] | None:
    """The model that a field's value is of; of several the one of its kind."""
    models = list(_models(annotation))
    if not models or not isinstance(value, Mapping):
        return None
    kind = value.get("kind", getattr(default, "kind", None))
    if len(models) == 1:
        return models[0]
    return _kind_of(annotation, kind)


def _kinds(annotation: Any) -> list[str]:
    """The kinds of the models that an annotation names."""
    fields = [model.model_fields.get("kind") for model in _models(annotation)]
    return [kind for field in fields if field for kind in get_args(field.annotation)]


def _kind_of(annotation: Any, kind: Any) -> type[BaseModel] | None:
    for model in _models(annotation):
        field = model.model_fields.get("kind")
        if field is not None and kind in get_args(field.annotation):
            return model
    return None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names."""
    if get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _models(part)
    elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation


def _range(model: type[BaseModel], name: str, shown: Any) -> str:
    """What a field may be, and its default where another value stands."""
    schema = model.model_json_schema()
    text = _allowed(schema["properties"][name], schema.get("$defs", {}))
    default = model.model_fields[name].get_default(call_default_factory=True)
    is_other = default is not PydanticUndefined and _flow(default) != _flow(shown)
    return f"{text}; default {_flow(default)}" if is_other and shown is not ... else text


def _allowed(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The values that a JSON schema allows, in words."""
    if "$ref" in part:
        return _allowed(definitions[part["$ref"].rpartition("/")[2]], definitions)
    if "const" in part:
        return _flow(part["const"])
    if "enum" in part:
        return _listed([_flow(value) for value in part["enum"]])
    for key in ("anyOf", "oneOf"):
        if key in part:
            texts = [_allowed(each, definitions) for each in part[key]]
            return " or ".join(dict.fromkeys(texts))
    match part.get("type"):
        case "integer" | "number" as kind:
            return f"{'an integer' if kind == 'integer' else 'a number'} {_bounds(part)}".strip()
        case "array":
            return f"a list of {_several(_allowed(part.get('items', {}), definitions))}"
        case "boolean":
            return "true or false"
        case "string":
            return "a text"
        case "null":
            return "null"
        case "object":
            return "fields"
    return "any value"


def _bounds(part: Mapping[str, Any]) -> str:
    if "minimum" in part and "maximum" in part:
        return f"from {part['minimum']:g} to {part['maximum']:g}"
    words = {
        "minimum": "of at least", "exclusiveMinimum": "above", "maximum": "of at most",
        "exclusiveMaximum": "below",
    }  # fmt: skip
    return " and ".join(f"{word} {part[key]:g}" for key, word in words.items() if key in part)


def _several(one: str) -> str:
    """Of "an integer above 0", "integers above 0"."""
    article, _, rest = one.partition(" ")
    if article not in ("a", "an"):
        return one
    noun, gap, more = rest.partition(" ")
    return f"{noun}s{gap}{more}"


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, dict | list):
        return dump_yaml({"x": value}).removeprefix("x:").strip()
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).strip()


def _with_comment(line: str, comment: str) -> str:
    return f"{line:32}  # {comment}" if comment else line


def _about(model: type[BaseModel]) -> list[str]:
    """What a class says about itself, as a comment."""
    text = inspect.getdoc(model) or ""
    return _comment(text.replace("Attributes:\n", ""))


def _comment(text: str) -> list[str]:
    joined = " ".join(text.split())
    return [f"# {line}" for line in textwrap.wrap(joined, WIDTH)]
