"""Every source gives the same set for the same images, and reads splits and labels from names."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.config import ImageFormat
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import read_prepared, read_splits
from trainables.error import InputError
from trainables.picture import Crop
from trainables.sources import DOWNLOADABLE
from trainables.sources.folders import Paths
from trainables.sources.layout import read_layout
from trainables.sources.shards import split_of

SPLIT_TREE = (
    "train/cat/1.png", "train/cat/2.png", "train/dog/3.PNG", "valid/dog/4.png", "test/cat/5.png",
)  # fmt: skip
RGB64 = ImageFormat(channels=3, size=64)


def read(paths: Sequence[str]) -> list[tuple[str, str, int]]:
    ordered = sorted(paths)
    layout = read_layout(Paths(ordered, (), "here"))
    return list(zip(ordered, layout.splits, layout.classes.labels, strict=True))


def test_split_folders_and_class_folders_are_read() -> None:
    expected = [
        ("test/cat/5.png", "test", 0),
        ("train/cat/1.png", "train", 0),
        ("train/cat/2.png", "train", 0),
        ("train/dog/3.PNG", "train", 1),
        ("valid/dog/4.png", "validation", 1),
    ]
    assert read(SPLIT_TREE) == expected


@pytest.mark.parametrize("word", ["valid", "val", "validation", "Valid", "VAL"])
def test_validation_has_three_names_in_any_case(word: str) -> None:
    paths = ["TRAIN/1.png", f"{word}/2.png", "Test/3.png"]
    assert {split for _, split, _ in read(paths)} == {"train", "validation", "test"}
    assert {label for _, _, label in read(paths)} == {-1}


def test_a_folder_that_holds_all_is_stepped_into() -> None:
    paths = [f"download/mine/{path}" for path in SPLIT_TREE]
    assert [row[1:] for row in read(paths)] == [row[1:] for row in read(SPLIT_TREE)]
    assert read(["mine/1.png", "mine/2.png"])[0] == ("mine/1.png", "whole", -1)


def test_class_names_that_are_numbers_count_by_value() -> None:
    assert [label for _, _, label in read(["2/a.png", "10/b.png", "1/c.png"])] == [0, 2, 1]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("x_TRAIN-0.parquet", "train"),
        ("Validation.parquet", "validation"),
        ("imagenet_val.parquet", "validation"),
        ("latest_train.parquet", "train"),
        ("mytest.parquet", "test"),
    ],
)
def test_a_shards_name_says_its_split_in_any_case(name: str, split: str) -> None:
    assert split_of(Path(name)) == split


def test_a_shards_name_that_fits_two_splits_is_refused() -> None:
    with pytest.raises(InputError, match="says train and test"):
        split_of(Path("train_test.parquet"))


def test_a_folder_its_zip_and_a_zip_with_a_folder_above_are_one_set(
    pictures: Any, tmp_path: Path
) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *SPLIT_TREE)
    sources = [
        tree,
        pictures.zip_of(tree, tmp_path / "one.zip"),
        pictures.zip_of(tree, tmp_path / "two.zip", "mine/"),
    ]
    prepared = [
        prepare_dataset("mine", str(source), tmp_path / f"data-{number}")
        for number, source in enumerate(sources)
    ]  # fmt: skip
    assert len({each.fingerprint for each in prepared}) == 1
    splits = read_splits(prepared[0])
    assert {split: len(images) for split, (images, _) in splits.items()} == {
        "train": 3, "validation": 1, "test": 1,
    }  # fmt: skip
    assert splits["train"][1].tolist() == [0, 0, 1]
    expected = np.asarray(pictures.picture(4)).transpose(2, 0, 1)
    np.testing.assert_array_equal(splits["test"][0][0], expected)


def test_a_folder_without_splits_is_split_by_a_seeded_draw(pictures: Any, tmp_path: Path) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *(f"{i % 2}/{i:02}.png" for i in range(40)))
    prepared = prepare_dataset("mine", str(tree), tmp_path / "data")
    again = prepare_dataset("mine", str(tree), tmp_path / "again")
    assert (prepared.num_train, prepared.num_validation, prepared.num_test) == (33, 3, 4)
    assert prepared.fingerprint == again.fingerprint
    images, labels = read_prepared(prepared)
    assert len({image.tobytes() for image in images}) == 40
    assert set(labels.tolist()) == {0, 1}


def test_a_folder_of_shards_is_a_source(tmp_path: Path, pictures: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, seeds in (("train", range(9)), ("test", range(9, 12))):
        table = pa.table({"image": [pictures.png(seed) for seed in seeds]})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    by_folder = prepare_dataset("mine", str(tmp_path), tmp_path / "one")
    by_glob = prepare_dataset("mine", f"{tmp_path}/*.parquet", tmp_path / "two")
    assert by_folder.fingerprint == by_glob.fingerprint


def test_celeba_by_hand_has_its_official_splits(pictures: Any, tmp_path: Path) -> None:
    names = [f"img_align_celeba/{number:06}.png" for number in range(1, 7)]
    tree = pictures.write_tree(tmp_path / "tree", *names)
    lines = [f"{number:06}.png {part}" for number, part in zip(range(1, 7), "002011", strict=True)]
    (tree / "list_eval_partition.txt").write_text("\n".join(lines))
    splits = read_splits(prepare_dataset("celeba", str(tree), tmp_path / "data"))
    expected = {"train": [0, 1, 3], "validation": [4, 5], "test": [2]}
    for split, seeds in expected.items():
        pixels = [np.asarray(pictures.picture(seed)).transpose(2, 0, 1) for seed in seeds]
        np.testing.assert_array_equal(splits[split][0], pixels)
        assert set(splits[split][1].tolist()) == {-1}


@pytest.mark.parametrize("crop", ["reference", "148", "140"])
def test_a_crop_is_that_of_torchvisions_transforms(
    crop: Crop, pictures: Any, tmp_path: Path
) -> None:
    from torchvision import transforms

    for seed, split in enumerate(("train", "valid", "test")):
        folder = tmp_path / "tree" / split
        folder.mkdir(parents=True)
        (folder / "face.png").write_bytes(pictures.png(seed, (178, 218)))
    prepared = prepare_dataset("x", str(tmp_path / "tree"), tmp_path / "data", RGB64, None, crop)
    first = [] if crop == "reference" else [transforms.CenterCrop(int(crop))]
    whole = transforms.Compose([*first, transforms.Resize(64), transforms.CenterCrop(64)])
    for seed, image in enumerate(read_prepared(prepared)[0]):
        expected = np.asarray(whole(pictures.picture(seed, (178, 218)))).transpose(2, 0, 1)
        np.testing.assert_array_equal(image, expected)


class FakeSet:
    """What the tests use of torchvision's classes: made without a network."""

    made: list[dict[str, Any]]

    def __init__(self, root: str, **options: Any) -> None:
        assert options["download"] is True
        part = options.get("split") or ("train" if options["train"] else "test")
        Path(root, part).write_text("an archive")
        FakeSet.made.append(options)
        self.first, self.num = {"train": (0, 20), "valid": (20, 6), "test": (26, 5)}[part]
        self.has_label = options.get("target_type") != []

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, index: int) -> tuple[Image.Image, int | None]:
        level = self.first + index
        return Image.new("RGB", (8, 8), (level, 0, 0)), level if self.has_label else None


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torchvision.datasets with every class that is used replaced."""
    fake = ModuleType("torchvision.datasets")
    for name in ("CIFAR10", "MNIST", "FashionMNIST", "SVHN", "CelebA"):
        setattr(fake, name, FakeSet)
    import torchvision

    FakeSet.made = []
    monkeypatch.setitem(sys.modules, "torchvision.datasets", fake)
    monkeypatch.setattr(torchvision, "datasets", fake)
    return fake


@pytest.mark.parametrize("name", DOWNLOADABLE)
def test_a_download_has_the_official_test_part_and_leaves_no_archive(
    name: str, torchvision: ModuleType, tmp_path: Path
) -> None:
    prepared = prepare_dataset(name, None, tmp_path, ImageFormat(channels=3, size=8))
    assert [path.name for path in tmp_path.iterdir()] == [prepared.path.name]
    images, labels = read_splits(prepared)["test"]
    assert images[:, 0, 0, 0].tolist() == list(range(26, 31))
    assert labels.tolist() == ([-1] * 5 if name == "celeba" else list(range(26, 31)))
    official = 6 if name == "celeba" else 2
    assert prepared.num_validation == official


def test_a_download_is_made_once(torchvision: ModuleType, tmp_path: Path) -> None:
    once = prepare_dataset("cifar10", None, tmp_path)
    assert len(FakeSet.made) == 2
    assert prepare_dataset("cifar10", None, tmp_path) == once
    assert len(FakeSet.made) == 2


def test_svhn_leaves_the_extra_part_out(torchvision: ModuleType, tmp_path: Path) -> None:
    prepare_dataset("svhn", None, tmp_path)
    assert [options["split"] for options in FakeSet.made] == ["train", "test"]


def test_torchvision_takes_what_a_download_asks_of_it() -> None:
    import inspect

    from torchvision import datasets

    for name, words in {"CIFAR10": "train", "MNIST": "train", "SVHN": "split"}.items():
        assert {words, "download"} <= set(inspect.signature(getattr(datasets, name)).parameters)
    celeba = inspect.signature(datasets.CelebA).parameters
    assert {"split", "target_type", "download"} <= set(celeba)
    assert datasets.FashionMNIST.__init__ is datasets.MNIST.__init__


def test_what_a_killed_download_left_is_removed(torchvision: ModuleType, tmp_path: Path) -> None:
    (tmp_path / ".cifar10.download").mkdir()
    (tmp_path / ".cifar10.download" / "half.tar.gz").write_text("half an archive")
    prepared = prepare_dataset("cifar10", None, tmp_path)
    assert list(tmp_path.iterdir()) == [prepared.path]
