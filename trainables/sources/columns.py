"""Which columns of Parquet shards hold images, classes and groups."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from trainables.config import NO_LABEL, PreparationConfig
from trainables.error import InputError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = (
    "label", "labels", "fine_label", "coarse_label", "class", "class_id", "target", "category",
    "y",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read.

    Attributes:
        image: of encoded bytes, or of structs that hold such; by shard.
        label: the class; None where there is none.
        group: what belongs together; None where it was not asked for.
        names: of the classes, where the file lists them.
        rule: which column holds the classes, a sentence; empty where there is none.
        warning: what a person should know about that; empty if nothing.
    """

    image: tuple[str, ...]
    label: str | None
    group: str | None
    names: tuple[str, ...]
    rule: str
    warning: str


def choose_columns(
    schemas: Sequence[pa.Schema], places: Sequence[str], config: PreparationConfig
) -> Columns:
    """The columns of some shards.

    Args:
        schemas: of each shard.
        places: each shard, as messages name it.
        config: what a person said about classes and groups.

    Raises:
        InputError: no column holds images, or several may; a column that was asked for is not
            there; several may hold the classes; or a column has a type that is not known.
    """
    images = _image_columns(schemas, places)
    label, warning = _label_column(schemas, places[0], config.label, images)
    asked = None if config.label == NO_LABEL else config.label
    for schema, place in zip(schemas, places, strict=True):
        for column, option in ((asked, "label"), (config.group, "group")):
            if column is not None and column not in schema.names:
                raise InputError(
                    f"--{option} {column}: {place} has no such column, it has"
                    f" {', '.join(schema.names)}"
                )
    if label is not None:
        _check_labels(schemas, places, label)
    names = _class_names(schemas[0], label)
    rule = f"classes: the column {label}" if label else ""
    return Columns(images, label, config.group, names, rule, warning)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds words, one by one or by their number."""
    kinds = pa.types
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _image_columns(schemas: Sequence[pa.Schema], places: Sequence[str]) -> tuple[str, ...]:
    named = [[name for name in IMAGE_COLUMNS if name in schema.names] for schema in schemas]
    found = []
    for schema, place, names in zip(schemas, places, named, strict=True):
        # Another name counts only if no shard has one of the usual ones.
        others = [] if any(named) else [f.name for f in schema if _holds_bytes(f.type)]
        if len(others) > 1:
            raise InputError(
                f"{place} holds encoded bytes in {' and '.join(others)}; rename the one with the"
                " images to image"
            )
        if not names and not others:
            raise InputError(
                f"{place} needs a column `image` or `img`, it has {', '.join(schema.names)}"
            )
        column = (names or others)[0]
        _check_images(schema.field(column).type, place)
        found.append(column)
    return tuple(found)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _check_images(kind: pa.DataType, place: str) -> None:
    """Encoded bytes, or nothing: a shard without rows may have columns of null."""
    inner = kind
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        inner = kind.field("bytes").type
    if not (_holds_bytes(inner) or pa.types.is_null(inner)):
        raise InputError(f"{place} holds images as {inner}, but encoded bytes are needed")


def _label_column(
    schemas: Sequence[pa.Schema], place: str, wanted: str | None, images: Sequence[str]
) -> tuple[str | None, str]:
    """The column of the classes, and what a person should know about it."""
    if wanted is not None:
        return (None if wanted == NO_LABEL else wanted), ""
    listed = {
        name
        for schema in schemas
        for name, feature in _features(schema).items()
        if "names" in feature
    }
    names = dict.fromkeys(name for schema in schemas for name in schema.names)
    likely = [
        name
        for name in names
        if name not in images and (name.casefold() in LABEL_COLUMNS or name in listed)
    ]
    if "label" in likely:
        others = [name for name in likely if name != "label"]
        told = f"classes are the column label; {', '.join(others)} may be others (--label)"
        return "label", told if others else ""
    if len(likely) > 1:
        raise InputError(
            f"{place} has several columns that may hold the classes; say which:"
            f" {' or '.join(f'--label {name}' for name in likely)} (or --label {NO_LABEL})"
        )
    return (likely[0] if likely else None), ""


def _check_labels(schemas: Sequence[pa.Schema], places: Sequence[str], label: str) -> None:
    """Integers everywhere, or words everywhere; or nulls, as in a shard without rows."""
    kinds = [
        schema.field(label).type if label in schema.names else pa.null() for schema in schemas
    ]
    known = [kind for kind in kinds if not pa.types.is_null(kind)]
    if known and all(is_text(kind) for kind in known):
        return
    for kind, place in zip(kinds, places, strict=True):
        if not (pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise InputError(
                f"{place} has labels of type {kind}, but integers are needed, or none"
                f" (--label {NO_LABEL})"
            )


def _class_names(schema: pa.Schema, label: str | None) -> tuple[str, ...]:
    names = _features(schema).get(label or "", {}).get("names", ())
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _features(schema: pa.Schema) -> dict[str, dict[str, object]]:
    """What Hugging Face's metadata say of each column; empty where there are none."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {name: value for name, value in features.items() if isinstance(value, dict)}
    except (ValueError, AttributeError):
        return {}
