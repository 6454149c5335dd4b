"""Spaces by name or path: read, overridden by `key=value`, checked as a whole."""

import os
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from search_spaces.complaint import complaint, did_you_mean
from search_spaces.override import forget_other_kind
from search_spaces.spec import StudySpec
from trainables.error import InputError
from trainables.plugin import load_plugins


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-4 as text; this one reads it as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a key that stands twice; YAML would silently keep the last."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"{key.value} stands twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Quotes the text that `_Loader` would read as a number."""


for _yaml in (_Loader, _Dumper):
    _yaml.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def space_names() -> list[str]:
    """The spaces that come with the package."""
    files = resources.files("search_spaces").iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))


def load_space(name_or_path: str | Path, overrides: Iterable[str] = ()) -> StudySpec:
    """The space of that name, or in that file, with `key=value` overrides applied.

    Raises:
        InputError: no such space, a value that is not allowed, or a field that does not exist.
    """
    return parse_space(space_values(name_or_path, overrides), str(name_or_path))


def space_values(name_or_path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The plain values of a space, with its plugins found; not checked yet.

    Raises:
        InputError: no such space, or an override that is not `key=value` of a field.
    """
    path = _find(name_or_path)
    values = _read(path)
    for override in overrides:
        _override(values, override)
    return values | _plugins(values, path.parent)


def load_stored_space(path: Path) -> StudySpec:
    """The space that `dump_space` wrote for a study, maybe before there were revisions.

    Raises:
        InputError: the file cannot be read, or does not hold a space.
    """
    values = _read(path)
    values |= _plugins(values, path.parent)
    return parse_space({"revision": 1, **values}, str(path))


def space_of_revision(spec: StudySpec, revision: int) -> StudySpec:
    """The space with what it leaves open meant as in a revision, so that it can go on a study.

    Fields that came later than the revision are as if nobody had named them.

    Raises:
        InputError: the space asks for what there was not in that revision.
    """
    if spec.revision == revision:
        return spec
    values = spec.model_dump(mode="json", exclude_unset=True) | {"revision": revision}
    return parse_space(values, spec.name)


def parse_space(values: dict[str, Any], origin: str) -> StudySpec:
    """A checked space from plain values.

    Raises:
        InputError: in one sentence, the first thing that is wrong and the file it came from.
    """
    try:
        return StudySpec.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{origin}: {complaint(error, StudySpec)}") from error


def read_yaml(text: str) -> Any:
    """Plain values from YAML, with 1e-4 a number.

    Raises:
        yaml.YAMLError: the text is not YAML, or a key stands twice.
    """
    return yaml.load(text, Loader=_Loader)


def dump_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML, in their own order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=99)


def dump_space(spec: StudySpec) -> str:
    """A space as YAML that `load_space` reads back to an equal one."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    values = {"name": values.pop("name"), "revision": spec.revision, **values}
    for group in ("likelihood", "network"):
        if group in values:  # its kind is a default of its own, which is not the space's
            values[group] = {"kind": getattr(spec, group).kind, **values[group]}
    return dump_yaml(values)


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text in space_names():
        return Path(str(resources.files("search_spaces") / f"{text}.yaml"))
    path = Path(text)
    if os.path.isfile(path):  # noqa: PTH113  # Path.is_file raises where the name is too long
        return path
    raise InputError(
        f"there is no space {text!r}, neither a file nor a name{did_you_mean(text, space_names())}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {_problem(error)}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} needs to hold the fields of a study, got {_kind(values)}")
    return values


def _plugins(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Loads the space's plugins, which it names relative to its own folder, by absolute path."""
    named = values.get("plugins")
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return {}
    paths = [str((folder / name).resolve()) for name in named]
    load_plugins(paths)
    return {"plugins": paths}


def _override(values: dict[str, Any], text: str) -> None:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise InputError(f"an override is written key=value, got {text!r}")
    parsed = _value(key, value)
    forget_other_kind(values, key, parsed)
    *parents, name = _key_parts(values, key)
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise InputError(f"{key} is not a field: {parent} has no parts")
    values[name] = parsed


def _key_parts(values: dict[str, Any], key: str) -> list[str]:
    """Splits at dots; below `domains.<prior>` and `variants.<name>` the field keeps its dots.

    >>> _key_parts({}, "budget.max_epochs")
    ['budget', 'max_epochs']
    >>> _key_parts({}, "domains.all.optimizer.learning_rate")
    ['domains', 'all', 'optimizer.learning_rate']
    >>> space = {"domains": {"all": {"optimizer.learning_rate": {"low": 1}}}}
    >>> _key_parts(space, "domains.all.optimizer.learning_rate.low")
    ['domains', 'all', 'optimizer.learning_rate', 'low']
    """
    top, *rest = key.split(".", 2)
    if top not in ("domains", "variants") or len(rest) < 2:
        return key.split(".")
    group, field = rest
    for known in (values.get(top) or {}).get(group) or {}:
        if field.startswith(f"{known}."):
            return [top, group, known, *field.removeprefix(f"{known}.").split(".")]
    return [top, group, field]


def _value(key: str, text: str) -> Any:
    bracketed = text.startswith(("[", "{", '"', "'"))
    source = f"[{text}]" if "," in text and not bracketed else text
    try:
        return read_yaml(source)
    except yaml.YAMLError as error:
        raise InputError(f"{key} got {text!r}, which is not a value: {_problem(error)}") from error


def _problem(error: Exception) -> str:
    """What YAML's parser says, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"{error.problem}, line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
