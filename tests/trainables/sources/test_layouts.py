"""Every file of a tree becomes what its layout says, in a folder as in a zip, or is asked for."""

import re
import shlex
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainables.pictures import Pictures
from tests.trainables.sources.layouts import ASKED, LAYOUTS, WARNED, Entry, entries, named
from trainables.config import PreparationConfig
from trainables.data.split_draw import draw_splits
from trainables.error import InputError
from trainables.sources import Reading, Source, open_source

Container = Callable[[list[Entry], Path], Path]


def in_folder(files: list[Entry], at: Path) -> Path:
    for seed, entry in enumerate(files):
        target = at / "tree" / entry.path
        if entry.path.endswith("/"):
            target.mkdir(parents=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content_of(entry, seed))
    return at / "tree"


def in_zip(files: list[Entry], at: Path) -> Path:
    with zipfile.ZipFile(at / "tree.zip", "w") as archive:
        for seed, entry in enumerate(files):
            archive.writestr(
                entry.path, b"" if entry.path.endswith("/") else content_of(entry, seed)
            )
    return at / "tree.zip"


def in_zip_of_windows(files: list[Entry], at: Path) -> Path:
    with zipfile.ZipFile(at / "tree.zip", "w") as archive:
        for seed, entry in enumerate(files):
            name = zipfile.ZipInfo("x")
            name.filename = entry.path.replace("/", "\\")
            archive.writestr(name, b"" if entry.path.endswith("/") else content_of(entry, seed))
    return at / "tree.zip"


def content_of(entry: Entry, seed: int) -> bytes:
    return Pictures.png(seed) if entry.content is None else entry.content.encode()


CONTAINERS = pytest.mark.parametrize("container", [in_folder, in_zip, in_zip_of_windows])


def assert_all_is_read(source: Source, files: list[Entry]) -> Reading:
    """Each image has its split and class, and every other file is counted."""
    reading = source.reading()
    images = list(source.images())
    expected = {entry.path: entry for entry in files if entry.content is None}
    assert len(images) == len(expected) == len(reading.splits)
    assert reading.labels is not None
    for image, split, label in zip(images, reading.splits, reading.labels, strict=True):
        path = next(path for path in expected if path_of(image.place) == path)
        entry = expected[path]
        assert (split, image.label) == (entry.kind, label), path
        assert entry.label == (reading.classes[label] if label >= 0 else None), path
    assert set(reading.used) == {entry.path for entry in files if entry.kind == "used"}
    left: Counter[str] = Counter()
    for each in reading.left_out:
        left["system" if each.is_system else "left"] += each.num
    assert left == Counter(entry.kind for entry in files if entry.kind in ("left", "system"))
    return reading


def path_of(place: str) -> str:
    inside, _, archive = place.rpartition(" in ")
    return inside if archive.endswith("tree.zip") else place.split("/tree/", 1)[1]


def opened(path: Path) -> Source:
    return open_source("mine", str(path), path.parent / "data", PreparationConfig())


@CONTAINERS
@pytest.mark.parametrize("name", LAYOUTS, ids=named)
def test_a_layout_is_read_without_a_question(
    name: str, container: Container, tmp_path: Path
) -> None:
    files = entries(LAYOUTS[name])
    source = opened(container(files, tmp_path))
    reading = assert_all_is_read(source, files)
    assert reading.warnings == ()
    assert reading.rules
    source.close()


@CONTAINERS
@pytest.mark.parametrize("name", WARNED, ids=named)
def test_what_is_odd_is_told(name: str, container: Container, tmp_path: Path) -> None:
    text, words = WARNED[name]
    files = entries(text)
    source = opened(container(files, tmp_path))
    reading = assert_all_is_read(source, files)
    assert any(words in warning for warning in reading.warnings), reading.warnings
    source.close()


@CONTAINERS
@pytest.mark.parametrize("name", ASKED, ids=named)
def test_what_nobody_can_tell_is_asked(name: str, container: Container, tmp_path: Path) -> None:
    text, words = ASKED[name]
    files = [Entry(path, "train") for path in shlex.split(text)]
    with pytest.raises(InputError) as raised:
        draw_splits("mine", opened(container(files, tmp_path)).reading())
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


DOCUMENT = Path(__file__).parents[3] / "docs" / "data" / "README.md"


def documented() -> list[list[Entry]]:
    """The trees of the document that say what becomes of each file."""
    blocks = re.findall(r"```\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    trees = [block.splitlines() for block in blocks if "parquet" not in block]
    return [[entry_of(line) for line in tree] for tree in trees]


def entry_of(line: str) -> Entry:
    path, told = re.split(r"\s{2,}", line, maxsplit=1)
    if told == "left out":
        return Entry(path, "left", content="some text")
    if told.startswith("read: "):
        return Entry(path, "used", content=told.removeprefix("read: ").replace("|", "\n"))
    split, _, label = told.partition(", ")
    return Entry(path, {"drawn": "whole"}.get(split, split), label or None)


@CONTAINERS
@pytest.mark.parametrize("files", documented(), ids=lambda files: files[0].path)
def test_the_documents_trees_are_read_as_it_says(
    files: list[Entry], container: Container, tmp_path: Path
) -> None:
    source = opened(container(files, tmp_path))
    assert assert_all_is_read(source, files).warnings == ()
    source.close()
