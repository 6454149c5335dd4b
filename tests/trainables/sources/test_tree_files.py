"""An image is found by its bytes, other files are counted, and what belongs together stays so."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trainables.config import PreparationConfig
from trainables.data.preparation import plan_dataset, prepare_dataset
from trainables.data.prepared_file import read_prepared, read_splits
from trainables.error import InputError
from trainables.sources import open_source, open_sources
from trainables.sources.file_kind import image_kind

HEIC = b"\0\0\0\x18ftypheic" + bytes(40)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def encoded(kind: str, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (seed, 2 * seed % 256, 9)).save(file, kind)
    return file.getvalue()


def tree_of(at: Path, **contents: bytes) -> Path:
    """Files by their names, where __ stands for a dot."""
    for name, content in contents.items():
        path = at / "tree" / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return at / "tree"


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000"]
)
@pytest.mark.parametrize("name", ["{}", "{}.jfif", "{}.IMG", "{}.1"])
def test_an_image_is_known_by_its_first_bytes(kind: str, name: str, tmp_path: Path) -> None:
    files = {name.format(f"a{n}"): encoded(kind, n) for n in range(3)}
    for file, content in files.items():
        (tmp_path / "tree").mkdir(exist_ok=True)
        (tmp_path / "tree" / file).write_bytes(content)
    reading = open_source("mine", str(tmp_path / "tree"), tmp_path / "data").reading()
    assert len(reading.splits) == 3
    assert reading.left_out == ()
    prepared = prepare_dataset("mine", str(tmp_path / "tree"), tmp_path / "data")
    assert len(read_prepared(prepared)[0]) == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"BM", b"BMW is a car, and this is a text about it", b"P5 is the fifth", b"II*", b"RIFF",
     b"GIF", b"\xff\xd8", b"<svg/>", b"%PDF-1.4", bytes(64), LFS],
)  # fmt: skip
def test_a_text_that_begins_like_an_image_is_none(content: bytes) -> None:
    assert image_kind(content) is None


def test_what_is_left_out_is_counted_by_ending(tmp_path: Path) -> None:
    tree = tree_of(
        tmp_path, a__png=encoded("PNG", 1), b__png=encoded("PNG", 2), c__png=encoded("PNG", 3),
        d__jfif=encoded("JPEG", 4), e=encoded("PNG", 5), f__heic=HEIC, g__HEIC=HEIC, h__txt=b"x",
        i__md=b"x", j=b"x", k__jxl=b"\xff\x0a" + bytes(20), l__zip=b"PK", m__tar__gz=b"\x1f\x8b",
    )  # fmt: skip
    reading = open_source("mine", str(tree), tmp_path / "data").reading()
    assert len(reading.splits) == 5
    assert {left.reason: left.num for left in reading.left_out} == {
        "archive, not opened (.gz)": 1,
        "archive, not opened (.zip)": 1,
        "image in HEIC, which is not decoded here (.heic)": 2,
        "image in JPEG XL, which is not decoded here (.jxl)": 1,
        "no known image format (.md)": 1,
        "no known image format (.txt)": 1,
        "no known image format (no ending)": 1,
    }
    with pytest.raises(InputError, match="which --strict refuses: 1 file"):
        plan_dataset(
            "mine", str(tree), tmp_path / "data", config=PreparationConfig(is_strict=True)
        )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a__tar": b"x"}, "holds no images, but archives such as a.tar: unpack them first"),
        ({"a__7z": b"x", "b__txt": b"x"}, "archives such as a.7z"),
        ({"a__heic": HEIC}, "holds no images that can be decoded: a.heic is an image in HEIC"),
        ({"a": LFS}, "holds no images: a is a Git LFS pointer, and `git lfs pull` fetches the"),
        ({"a__doc": b"x", "b__PDF": b"x"}, r"holds no images \(.*\): it has .doc, .pdf$"),
    ],
)
def test_a_folder_without_images_says_what_it_has(
    files: dict[str, bytes], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        open_source("mine", str(tree_of(tmp_path, **files)), tmp_path / "data")


def test_what_is_not_a_file_is_counted_and_not_waited_for(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", "1.png", "2.png")
    (tree / "latest").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tree / "pipe")
    reading = open_source("mine", str(tree), tmp_path / "data").reading()
    assert [(left.num, left.reason) for left in reading.left_out] == [
        (2, "no known image format (no ending)")
    ]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.7z", "x.rar", "x.TGZ"])
def test_an_archive_other_than_zip_is_to_be_unpacked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="is an archive other than zip: unpack it"):
        open_source("mine", str(tmp_path / name), tmp_path / "data")


@pytest.mark.parametrize("name", ["6.png", "6.JPG"])
def test_a_pointer_in_place_of_an_image_says_so(name: str, pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *(f"{number}.png" for number in range(6)))
    (tree / name).write_bytes(LFS)
    with pytest.raises(InputError, match=f"{name} does not decode: it is a Git LFS pointer"):
        prepare_dataset("mine", str(tree), tmp_path / "data")


def test_images_beside_parquet_files_are_asked_about(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", "a/1.png", "a/2.png")
    (tree / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"holds images \(a/1.png\) and Parquet files"):
        open_source("mine", str(tree), tmp_path / "data")


@pytest.mark.parametrize("folder", ["photos [2024]", "a*b", "what?", "[!x]"])
def test_a_path_that_exists_is_a_path(folder: str, pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / folder, "train/1.png", "train/2.png", "test/3.png")
    assert prepare_dataset("mine", str(tree), tmp_path / "data").num_test == 1
    packed = pictures.zip_of(tree, tmp_path / f"{folder}.zip")
    assert prepare_dataset("other", str(packed), tmp_path / "data").num_test == 1


@pytest.mark.parametrize("name", ["été.png", "東京.png", "ü b.png"])
def test_names_of_macos_are_read_as_they_are(name: str, pictures: Any, tmp_path: Path) -> None:
    """Its zips hold UTF-8 without saying so."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"train/{name}", pictures.png(0))
    content = path.read_bytes()
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(mark) + at + 1
        assert content[start] == 0x08
        content = content[:start] + b"\0" + content[start + 1 :]
    path.write_bytes(content)
    assert [image.place for image in open_source("m", str(path), tmp_path).images()] == [
        f"train/{name} in {path}"
    ]


PEOPLE = [f"{person}_{shot}.png" for person in "abcdefgh" for shot in range(5)]


@pytest.mark.parametrize("pattern", ["^([a-z])_", r"[a-z](?=_\d)", "(?P<person>^.)"])
def test_a_group_is_never_parted_by_a_cut(pattern: str, pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *PEOPLE)
    plan = plan_dataset(
        "mine", str(tree), tmp_path / "data", config=PreparationConfig(group=pattern)
    )
    of_split = {
        split: {PEOPLE[row][0] for row in rows.tolist()} for split, rows in plan.draw.rows.items()
    }
    assert sum(len(people) for people in of_split.values()) == 8
    assert not any("no group is known" in note for note in plan.notes())


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "is not a regular expression"),
        ("[", "is not a regular expression"),
        ("^x", "finds nothing in 40 of 40 paths, such as a_0.png"),
        ("^([b-h])_", "finds nothing in 5 of 40 paths"),
        ("(x?)", "finds nothing in 40"),
    ],
)
def test_a_pattern_that_finds_no_group_is_refused(
    pattern: str, words: str, pictures: Any, tmp_path: Path
) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *PEOPLE)
    with pytest.raises(InputError, match=words):
        plan_dataset("m", str(tree), tmp_path / "d", config=PreparationConfig(group=pattern))


def test_a_cut_without_groups_says_that_none_is_known(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *PEOPLE)
    plan = plan_dataset("mine", str(tree), tmp_path / "data")
    assert any("no group is known" in note for note in plan.notes())


@pytest.mark.parametrize("words", [("train", "test"), ("Training", "TST")])
def test_splits_that_lie_apart_are_one_set(
    words: tuple[str, str], pictures: Any, tmp_path: Path
) -> None:
    paths = ("dog/1.png", "cat/2.png", "cat/3.png", "train/4.png", "cat/5.png", "train/6.png")
    tree = pictures.write_tree(tmp_path / "tree", *paths)
    for path in paths[4:]:
        (tmp_path / "held" / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).rename(tmp_path / "held" / path)
    packed = pictures.zip_of(tmp_path / "held", tmp_path / "held.zip")
    sources = [f"{words[0]}={tree}", f"{words[1]}={packed}"]
    source = open_sources("mine", sources, tmp_path / "data")
    assert source.reading().classes == ("cat", "dog", "train")
    splits = read_splits(prepare_dataset("mine", sources, tmp_path / "data"))
    assert sorted(splits["test"][1].tolist()) == [0, 2]
    assert sorted([*splits["train"][1].tolist(), *splits["validation"][1].tolist()]) == [
        0,
        0,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["train={0}", "{0}"], "several sources are written train=PATH"),
        (["train={0}", "extra={0}"], "several sources are written train=PATH"),
        (["train={0}", "training={0}"], "the source of train is given twice"),
        (["train={0}/nowhere", "test={0}"], "no file matches"),
        (["train={0}"], "has only a train part"),
        (["test={0}", "validation={1}"], "has no train part, only validation and test"),
        (["train={2}", "test={0}"], "is said to be one split, and holds folders of several"),
    ],
)
def test_sources_that_do_not_make_a_set_are_refused(
    sources: list[str], words: str, pictures: Any, tmp_path: Path
) -> None:
    one = pictures.write_tree(tmp_path / "one", "a/1.png", "b/2.png")
    other = pictures.write_tree(tmp_path / "other", "a/3.png", "b/4.png")
    split = pictures.write_tree(tmp_path / "split", "train/5.png", "test/6.png")
    texts = [source.format(one, other, split) for source in sources]
    with pytest.raises(InputError, match=words):
        plan_dataset("mine", texts, tmp_path / "data")


def test_one_source_of_one_split_needs_a_share(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *(f"{n % 2}/{n:02}.png" for n in range(20)))
    plan = plan_dataset(
        "mine", [f"train={tree}"], tmp_path / "data", config=PreparationConfig(test_share=0.2)
    )
    assert plan.draw.counts == {"train": 15, "validation": 1, "test": 4}
