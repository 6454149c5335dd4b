"""A space written out with all of its fields is the same space, and says what each may be."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # jsonschema: comes without types
import pytest

from search_spaces import (
    StudySpec,
    annotated_space,
    load_space,
    parse_space,
    read_yaml,
    space_names,
    space_values,
)
from study.preview.new_space import schema_text

SPACES = space_names()


def text_of(space: str, **fields: Any) -> str:
    return annotated_space(space_values(space) | fields, "mine")


@pytest.mark.parametrize("space", SPACES)
def test_a_space_written_out_is_the_same_space(space: str) -> None:
    read = parse_space(read_yaml(text_of(space)), "mine")
    assert read.model_copy(update={"name": space}) == load_space(space)


@pytest.mark.parametrize("space", SPACES)
def test_every_field_of_every_group_is_shown(space: str) -> None:
    text = text_of(space)
    for name, field in StudySpec.model_fields.items():
        if name in ("datasets", "revision"):
            continue
        assert f"\n{name}:" in text or f"\n# {name}:" in text, name
        inner = getattr(field.annotation, "model_fields", {})
        assert all(f" {each}:" in text for each in inner), name


def test_what_is_behind_a_mark_may_be_uncommented_as_it_stands() -> None:
    lines = text_of("digits").splitlines()
    first = lines.index("# data:")
    shown = [line.replace("# ", "", 1) for line in lines[first : first + 6]]
    values = read_yaml("\n".join([*lines[:first], *shown, *lines[first + 6 :]]))
    assert values["data"]["dequantise"] is True
    assert parse_space(values, "mine") == parse_space(read_yaml("\n".join(lines)), "mine")


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("  scale:", "a number above 0 or learned"),
        ("  num_channels:", "an integer from 1 to 1024; default 32"),
        ("  features:", "classifier, inception or pixels"),
        ("  # kind: gaussian", "gaussian, diagonal, discretized_logistic or sum_of_squares"),
        ("  latent_size:", "a list of integers from 1 to 65536"),
        ("  control_share:", "a number from 0 to 1"),
        ("  # ema_decay:", "a number above 0 and below 1 or null"),
        ("  # by: [fid]", "a list of fid or elbo"),
    ],
)
def test_a_field_says_what_it_may_be(field: str, told: str) -> None:
    line = next(line for line in text_of("digits").splitlines() if line.startswith(field))
    assert line.partition("  # ")[2].rpartition("  # ")[2] in told or line.endswith(told)


def test_a_long_text_stays_readable_and_what_it_is() -> None:
    description = "word " * 60
    text = text_of("digits", description=description.strip())
    assert max(map(len, text.splitlines())) < 120
    assert read_yaml(text)["description"] == description.strip()


def test_the_schema_takes_every_space_and_no_typing_error() -> None:
    schema = json.loads(schema_text())
    for space in SPACES:
        jsonschema.validate(space_values(space), schema)
    assert "datasets" not in schema["properties"]
    for wrong in ({"budgett": {}}, {"seed": -1}, {"objective": "exactly"}, {"budget": {"x": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(space_values("digits") | wrong, schema)


def test_a_new_space_is_written_once_beside_its_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert study(monkeypatch, "new", "mine", "budget.max_epochs=7", "--from", "num_steps") == 0
    assert "study run mine.yaml" in capsys.readouterr().out
    assert load_space("mine.yaml").budget.max_epochs == 7
    assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml", "space.schema.json"}
    before = Path("mine.yaml").read_text()
    assert study(monkeypatch, "new", "mine") == 2
    assert "mine.yaml exists" in capsys.readouterr().err
    assert Path("mine.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("../mine",), "a study is named with letters"),
        (("mine", "--from", "digitz"), "did you mean digits"),
        (("mine", "budget.max_epochs=0"), "budget.max_epochs"),
    ],
)
def test_a_new_space_that_cannot_be_is_refused_and_nothing_written(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert study(monkeypatch, "new", *arguments) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def study(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command."""
    from study.cli import main

    monkeypatch.setattr("sys.argv", ["study", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
