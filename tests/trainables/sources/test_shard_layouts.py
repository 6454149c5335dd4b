"""Parquet files give their splits, images and classes as people have them, or are asked about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainables.pictures import Pictures
from trainables.config import PreparationConfig
from trainables.data.preparation import plan_dataset, prepare_dataset
from trainables.data.prepared_file import read_splits
from trainables.error import InputError
from trainables.sources import Reading, open_loose, open_source, open_sources
from trainables.sources.parquet import _batch_rows, label_warnings

Columns = dict[str, Any]


def rows(first: int, num: int = 4, image: str = "image", **columns: Any) -> Columns:
    """Images, each another, and other columns."""
    pictures = [{"bytes": Pictures.png(first + n), "path": f"{n}.png"} for n in range(num)]
    return {image: pictures, **columns}


def write(path: Path, columns: Columns, features: dict[str, Any] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features is not None:
        told = json.dumps({"info": {"features": features}}).encode()
        table = table.replace_schema_metadata({b"huggingface": told})
    pq.write_table(table, path)


def written(at: Path, names: str) -> Path:
    """A shard of four images at each path; a name that is none of Parquet is a text."""
    for number, name in enumerate(names.split()):
        path = at / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            write(path, rows(10 * number))
        else:
            path.write_text("some text")
    return at / "set"


def reading_of(where: Path | str, **said: Any) -> Reading:
    return open_source("mine", str(where), Path("data"), PreparationConfig(**said)).reading()


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("train/0000.parquet test/0000.parquet", "train test"),
        ("Training/a.parquet TESTING/a.parquet", "test train"),
        ("x/train/0.parquet x/train/1.parquet x/validation/0.parquet", "train validation"),
        ("data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet"
         " data/test-00000-of-00001.parquet README.md .gitattributes .git/config", "test train"),
        ("plain_text/train-00000-of-00001.parquet plain_text/test-00000-of-00001.parquet"
         " README.md", "test train"),
        ("default/train/0000.parquet default/partial-test/0000.parquet", "test train"),
        ("train.parquet dev.parquet tst.parquet", "validation train test"),
        ("x_train.parquet x_valid.parquet x_test.parquet", "test train validation"),
        (".cache/x_train.parquet @eaDir/x_train.parquet train.parquet test.parquet", "test train"),
        ("train/part-0.parquet train/part-1.parquet test/part-0.parquet", "test train"),
    ],
)  # fmt: skip
def test_a_folder_of_shards_is_found_and_nothing_is_lost(
    names: str, splits: str, tmp_path: Path
) -> None:
    where = written(tmp_path, names)
    reading = reading_of(where)
    assert set(reading.splits) == set(splits.split())
    num_shards = len(reading.splits) // 4
    left = sum(each.num for each in reading.left_out)
    assert num_shards + left == len(names.split())
    assert all(each.is_system == ("system" in each.reason) for each in reading.left_out)
    images = list(open_source("mine", str(where), tmp_path).images())
    assert len(images) == len(reading.splits)
    for image, split in zip(images, reading.splits, strict=True):
        below = image.place.split("/set/")[1].casefold()
        words = {"train": ("train",), "test": ("test", "tst"), "validation": ("val", "dev")}
        assert any(word in below for word in words[split])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("cifar10/train/0.parquet cifar10/test/0.parquet cifar100/train/0.parquet",
         "holds several sets: cifar10, cifar100; give one of them"),
        ("small/train-00000-of-00001.parquet full/train-00000-of-00001.parquet",
         "holds several sets: full, small"),
        ("celeba_train.parquet cifar10_train.parquet", "holds several sets: celeba, cifar10"),
        ("train-00000-of-00002.parquet test-00000-of-00001.parquet",
         "lacks train-00001-of-00002.parquet"),
        ("data/train-00001-of-00003.parquet", "lacks data/train-00000-of-00003.parquet"),
        ("train/test.parquet", "says test by its name and train by its folder"),
        ("a.parquet train.parquet", "a.parquet says no split"),
        ("0000.parquet", "0000.parquet says no split: its name needs train, valid or test in it"),
        ("test/0.parquet", "no file of .* has 'train' in its name"),
    ],
)  # fmt: skip
def test_what_shards_leave_open_is_asked(names: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        reading_of(written(tmp_path, names))


@pytest.mark.parametrize("name", ["a[2024]", "b*", "c?d"])
def test_a_path_that_exists_is_no_pattern(name: str, tmp_path: Path) -> None:
    write(tmp_path / name / f"{name}_train.parquet", rows(0))
    write(tmp_path / name / f"{name}_test.parquet", rows(10))
    assert len(reading_of(tmp_path / name).splits) == 8
    alone = tmp_path / name / f"{name}_train.parquet"
    assert set(reading_of(alone).splits) == {"train"}


def test_a_pattern_reaches_into_folders(tmp_path: Path) -> None:
    where = written(tmp_path, "x/train/0.parquet x/test/0.parquet y/train/0.parquet")
    assert set(reading_of(f"{where}/x/**/*.parquet").splits) == {"train", "test"}
    assert set(reading_of(f"{where}/x/*/0.parquet").splits) == {"train", "test"}


def test_a_pattern_may_leave_shards_out_and_says_so(tmp_path: Path) -> None:
    names = "train-00000-of-00002.parquet train-00001-of-00002.parquet test.parquet"
    where = written(tmp_path, names)
    reading = reading_of(f"{where}/t*[0t].parquet".replace("[0t]", "[!1]*"))
    assert reading.warnings == () or "is not among the shards" in reading.warnings[0]
    reading = reading_of(f"{where}/train-00000*")
    assert reading.warnings == (
        "train-00001-of-00002.parquet is not among the shards that are given",
    )


@pytest.mark.parametrize("name", ["train.parquet", "x_train-00000-of-00001.parquet"])
def test_a_pointer_in_place_of_a_shard_says_so(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")
    with pytest.raises(InputError, match="is a Git LFS pointer, not the file"):
        reading_of(tmp_path)


@pytest.mark.parametrize(
    ("columns", "said", "labels"),
    [
        ({"label": [0, 1, 0, 1]}, {}, [0, 1, 0, 1]),
        ({"labels": [3, 1, 2, 1]}, {}, [3, 1, 2, 1]),
        ({"fine_label": [0, 1, 2, 2]}, {}, [0, 1, 2, 2]),
        ({"fine_label": [0, 1, 2, 2], "coarse_label": [0, 0, 1, 1]}, {"label": "fine_label"},
         [0, 1, 2, 2]),
        ({"fine_label": [0, 1, 2, 2], "coarse_label": [0, 0, 1, 1]}, {"label": "coarse_label"},
         [0, 0, 1, 1]),
        ({"fine_label": [0, 1, 2, 2], "coarse_label": [0, 0, 1, 1]}, {"label": "none"}, [-1] * 4),
        ({"digit": [4, 5, 6, 4], "label": [0, 0, 0, 1]}, {"label": "digit"}, [4, 5, 6, 4]),
        ({"label": ["dog", "cat", "dog", None]}, {}, [1, 0, 1, -1]),
        ({"target": ["10", "2", "10", "1"]}, {}, [2, 1, 2, 0]),
        ({"label": [None, 1, 0, 1]}, {}, [-1, 1, 0, 1]),
        ({}, {}, [-1] * 4),
        ({"caption": ["a", "b", "c", "d"], "id": [1, 2, 3, 4]}, {}, [-1] * 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("image", ["image", "img", "jpg"])
def test_columns_are_found_by_name_and_type(
    columns: Columns, said: dict[str, str], labels: list[int], image: str, tmp_path: Path
) -> None:
    write(tmp_path / "set" / "train.parquet", rows(0, image=image, **columns))
    write(tmp_path / "set" / "test.parquet", rows(10, image=image, **columns))
    reading = reading_of(tmp_path / "set", **said)
    assert reading.labels is not None
    assert reading.labels.tolist() == labels * 2
    source = open_source("mine", str(tmp_path / "set"), tmp_path, PreparationConfig(**said))
    assert [each.label for each in source.images()] == labels * 2
    assert (f"the column {said.get('label')}" in " ".join(reading.rules)) == (
        said.get("label", "none") != "none"
    )


@pytest.mark.parametrize(
    ("columns", "said", "words"),
    [
        ({"fine_label": [0] * 4, "coarse_label": [0] * 4}, {},
         "say which: --label fine_label or --label coarse_label"),
        ({"labels": [0] * 4, "class": [0] * 4}, {}, "--label labels or --label class"),
        ({"label": [0] * 4}, {"label": "fine"}, "--label fine: .* no such column, it has image"),
        ({"label": [0] * 4}, {"group": "patient"}, "--group patient: .* no such column"),
        ({"label": [0.5] * 4}, {}, "labels of type double, but integers are needed"),
        ({"labels": [[0], [1], [0, 1], []]}, {}, "labels of type list.*--label none"),
        ({"mask": [b"x"] * 4, "picture": [b"x"] * 4, "image": None}, {},
         "holds encoded bytes in mask and picture"),
        ({"image": [[1, 2]] * 4}, {}, "holds images as list.*encoded bytes are needed"),
    ],
)  # fmt: skip
def test_columns_that_leave_a_choice_are_asked_about(
    columns: Columns, said: dict[str, str], words: str, tmp_path: Path
) -> None:
    whole = {name: value for name, value in (rows(0) | columns).items() if value is not None}
    write(tmp_path / "train.parquet", whole)
    with pytest.raises(InputError, match=words):
        reading_of(tmp_path / "train.parquet", **said)


@pytest.mark.parametrize("column", ["label", "fine_label", "species"])
def test_the_files_own_names_of_classes_are_kept(column: str, tmp_path: Path) -> None:
    features = {
        "image": {"_type": "Image"},
        column: {"names": ["ant", "bee", "cow"], "_type": "ClassLabel"},
    }
    for split in ("train", "test"):
        columns = rows(10 * len(split), **{column: [2, 0, 1, 2]})
        write(tmp_path / f"{split}.parquet", columns, features)
    reading = reading_of(tmp_path)
    assert reading.classes == ("ant", "bee", "cow")
    assert reading.labels is not None
    assert reading.labels.tolist() == [2, 0, 1, 2] * 2


def test_a_class_that_train_lacks_is_told(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", rows(0, label=[0, 1, 0, 1]))
    write(tmp_path / "test.parquet", rows(10, label=[0, 1, 2, 3]))
    assert "no train image has the class 2, 3" in reading_of(tmp_path).warnings


@pytest.mark.parametrize("first", [0, 202600000000])
def test_numbers_of_images_are_told_from_classes(first: int, tmp_path: Path) -> None:
    ids = list(range(first, first + 30))
    write(tmp_path / "train.parquet", rows(0, 30, label=ids))
    write(tmp_path / "test.parquet", rows(40, 4, label=ids[:4]))
    warnings = " ".join(reading_of(tmp_path).warnings)
    assert "holds 30 different values for 34 images: numbers of images rather than" in warnings
    assert reading_of(tmp_path, label="none").warnings == ()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([5, -7, 3, -2], "2 labels below 0 in the column x"),
        ([2026000001, 2026000002] * 30, "2 classes of the column x have numbers up to 2026000002"),
        ([0, 1, 2, -1] * 30, ""),
        (list(range(1000)) * 3, ""),
        ([0, 1], ""),
    ],
)
def test_odd_labels_are_told(labels: list[int], words: str) -> None:
    assert words in " ".join(label_warnings(np.array(labels), "x"))
    assert bool(words) == bool(label_warnings(np.array(labels), "x"))


@pytest.mark.parametrize("column", ["patient", "video_id"])
def test_a_group_of_a_column_is_never_parted(column: str, tmp_path: Path) -> None:
    people = [number // 5 for number in range(40)]
    write(tmp_path / "all.parquet", rows(0, 40, **{column: people}))
    config = PreparationConfig(group=column, test_share=0.2)
    plan = plan_dataset("m", [f"train={tmp_path}/all.parquet"], tmp_path / "d", config=config)
    parts = [{people[row] for row in kept.tolist()} for kept in plan.draw.rows.values()]
    assert sum(len(part) for part in parts) == 8


def test_shards_that_lie_apart_are_one_set(tmp_path: Path) -> None:
    write(tmp_path / "a" / "0.parquet", rows(0, 12, label=["dog", "cat", "cow"] * 4))
    write(tmp_path / "b" / "train.parquet", rows(20, 3, label=["cow", "dog", "dog"]))
    sources = [f"train={tmp_path}/a", f"test={tmp_path}/b"]
    reading = open_sources("mine", sources, tmp_path / "data").reading()
    assert reading.classes == ("cat", "cow", "dog")
    splits = read_splits(prepare_dataset("mine", sources, tmp_path / "data"))
    assert splits["test"][1].tolist() == [1, 2, 2]
    assert len(splits["train"][1]) + len(splits["validation"][1]) == 12


def test_classes_by_name_and_by_number_are_not_mixed(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", "cat/1.png", "dog/2.png")
    write(tmp_path / "x.parquet", rows(20, 3, label=[0, 1, 1]))
    with pytest.raises(InputError, match="have names, and those of test are numbers"):
        open_sources("m", [f"train={tree}", f"test={tmp_path}/x.parquet"], tmp_path).reading()


def test_a_batch_of_large_images_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).bytes(100_000)
    write(tmp_path / "train.parquet", {"image": [noise] * 20})
    monkeypatch.setattr("trainables.sources.parquet.BYTES_AT_A_TIME", 250_000)
    with pq.ParquetFile(tmp_path / "train.parquet") as file:
        assert _batch_rows(file) <= 250_000
    assert len(list(open_loose(str(tmp_path / "train.parquet")).images())) == 20
