"""`study new` and `study schema`: a space of one's own, without reading source."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from search_spaces import StudySpec, annotated_space, load_space, space_values
from trainables.config import Slug
from trainables.error import InputError

SCHEMA_FILE = "space.schema.json"


def write_new_space(
    name: str, origin: str, overrides: tuple[str, ...], folder: Path, console: Console
) -> Path:
    """Writes an annotated space file, and the schema that editors check it with.

    Args:
        name: of the new study, and of its file.
        origin: the space that it begins as, by name or path.
        overrides: `key=value` for fields of it.
        folder: where both files go.
        console: where they are told.

    Raises:
        InputError: the name or the space is not valid, or the file exists.
    """
    try:
        TypeAdapter(Slug).validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"a study is named with letters, digits, - and _, at most 64, got {name!r}"
        ) from error
    load_space(origin, overrides)  # whatever is wrong with it is said before anything is written
    path, schema = folder / f"{name}.yaml", folder / SCHEMA_FILE
    if path.exists():
        raise InputError(f"{path} exists; choose another name, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    text = annotated_space(space_values(origin, overrides), name)
    schema.write_text(schema_text())
    path.write_text(f"# yaml-language-server: $schema={SCHEMA_FILE}\n{text}")
    told = f"{path}: edit it, then `study show {path}` and `study run {path}`"
    console.print(told, soft_wrap=True, markup=False, emoji=False)
    return path


def schema_text() -> str:
    """The JSON schema of a space's file."""
    schema = StudySpec.model_json_schema()
    # A launch fills it; nobody writes it.
    del schema["properties"]["datasets"]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A study of priors"
    return json.dumps(_with_default_kinds(schema), indent=2, ensure_ascii=False) + "\n"


def _with_default_kinds(part: Any) -> Any:
    """The schema with groups whose kind may be left out, as a space's file has them.

    Such a group fits several kinds at once where they share its fields.
    """
    if isinstance(part, list):
        return [_with_default_kinds(each) for each in part]
    if not isinstance(part, dict):
        return part
    fields = {name: _with_default_kinds(value) for name, value in part.items()}
    if "discriminator" in fields and "oneOf" in fields:
        fields["anyOf"] = fields.pop("oneOf")
    return fields
