"""A broken source ends in one sentence that names it, and leaves nothing behind."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.config import ImageFormat
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import find_prepared
from trainables.error import InputError

TREE = (
    "train/cat/1.png", "train/cat/2.png", "train/dog/3.png", "valid/dog/4.png", "test/cat/5.png",
)  # fmt: skip
Break = Callable[[Path, Any], str]


def empty_folder(at: Path, pictures: Any) -> str:
    return make(at / "empty")


def only_text(at: Path, pictures: Any) -> str:
    (Path(make(at / "texts")) / "1.txt").write_text("no picture")
    return str(at / "texts")


def no_train_folder(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE[3:]))


def empty_test_folder(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE[:4], "test/cat/"))


def two_validation_folders(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE, "val/dog/6.png"))


def class_folder_without_images(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE, "train/bird/"))


def class_folder_of_text(at: Path, pictures: Any) -> str:
    tree = pictures.write_tree(at / "tree", "cat/1.png", "bird/")
    (tree / "bird" / "1.txt").write_text("no picture")
    return str(tree)


def image_beside_splits(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE, "stray.png"))


def folder_beside_splits(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE, "more/stray.png"))


def image_beside_classes(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", *TREE, "train/stray.png"))


def undecodable(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, b"no picture")


def cut_short(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.png(0)[:120])


def without_bytes(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, b"")


def another_size(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.png(0, (9, 9)))


def oblong(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.png(0, (9, 8)), "train/cat/1.png", "test/cat/5.png")


def too_small(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.png(0, (2, 2)), "train/cat/1.png", "test/cat/5.png")


def sixteen_bits_grey(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.deep_png(0, 1))


def sixteen_bits_colour(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, pictures.deep_png(2, 3))


def sixteen_bits_ppm(at: Path, pictures: Any) -> str:
    return with_file(at, pictures, b"P6 8 8 65535\n" + bytes(8 * 8 * 6), "test/cat/6.ppm")


def floating_point(at: Path, pictures: Any) -> str:
    pictures.write_tree(at / "tree", *TREE)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(at / "tree" / "test" / "cat" / "6.tif")
    return str(at / "tree")


def decompression_bomb(at: Path, pictures: Any) -> str:
    header = b"P5 100000 100000 255\n"
    return with_file(at, pictures, header, "test/cat/6.pgm")


def too_few_images(at: Path, pictures: Any) -> str:
    return str(pictures.write_tree(at / "tree", "1.png", "2.png"))


def plain_file(at: Path, pictures: Any) -> str:
    (at / "images").write_text("no folder")
    return str(at / "images")


def nothing_there(at: Path, pictures: Any) -> str:
    return str(at / "nowhere")


def no_zip_there(at: Path, pictures: Any) -> str:
    return str(at / "nowhere.zip")


def text_as_zip(at: Path, pictures: Any) -> str:
    (at / "x.zip").write_text("no zip")
    return str(at / "x.zip")


def truncated_zip(at: Path, pictures: Any) -> str:
    path = zipped(at, pictures)
    path.write_bytes(path.read_bytes()[:-40])
    return str(path)


def damaged_zip(at: Path, pictures: Any) -> str:
    path = zipped(at, pictures)
    content = bytearray(path.read_bytes())
    at_pixels = content.index(b"IDAT") + 20
    content[at_pixels] ^= 0xFF
    path.write_bytes(content)
    return str(path)


def empty_zip(at: Path, pictures: Any) -> str:
    zipfile.ZipFile(at / "x.zip", "w").close()
    return str(at / "x.zip")


def zip_that_climbs(at: Path, pictures: Any) -> str:
    with zipfile.ZipFile(at / "x.zip", "w") as archive:
        archive.writestr("train/1.png", pictures.png(0))
        archive.writestr("../../evil.png", pictures.png(1))
    return str(at / "x.zip")


def zip_of_the_root(at: Path, pictures: Any) -> str:
    with zipfile.ZipFile(at / "x.zip", "w") as archive:
        archive.writestr("/etc/evil.png", pictures.png(1))
    return str(at / "x.zip")


def zip_with_one_name_twice(at: Path, pictures: Any) -> str:
    with zipfile.ZipFile(at / "x.zip", "w") as archive:
        archive.writestr("1.png", pictures.png(0))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("1.png", pictures.png(1))
    return str(at / "x.zip")


def encrypted_zip(at: Path, pictures: Any) -> str:
    path = zipped(at, pictures)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + flags] |= 1
            start = content.find(mark, start + 4)
    path.write_bytes(content)
    return str(path)


def truncated_parquet(at: Path, pictures: Any) -> str:
    source = shards(at, pictures)
    path = at / "x_test.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return source


def ambiguous_shard(at: Path, pictures: Any) -> str:
    source = shards(at, pictures)
    (at / "x_test.parquet").rename(at / "x_train_test.parquet")
    return source


def deep_image_in_parquet(at: Path, pictures: Any) -> str:
    source = shards(at, pictures)
    pq.write_table(pa.table({"image": [pictures.deep_png()]}), at / "x_test.parquet")
    return source


def label_too_large(at: Path, pictures: Any) -> str:
    source = shards(at, pictures)
    columns = {"image": [pictures.png(0)], "label": pa.array([2**64 - 1], pa.uint64())}
    pq.write_table(pa.table(columns), at / "x_test.parquet")
    return source


def partition_that_lacks_an_image(at: Path, pictures: Any) -> str:
    tree = pictures.write_tree(at / "tree", "img_align_celeba/1.png", "img_align_celeba/2.png")
    (tree / "list_eval_partition.txt").write_text("1.png 0\n")
    return str(tree)


def partition_of_other_numbers(at: Path, pictures: Any) -> str:
    tree = pictures.write_tree(at / "tree", "img_align_celeba/1.png")
    (tree / "list_eval_partition.txt").write_text("1.png 3\n")
    return str(tree)


BROKEN: dict[Break, str] = {
    empty_folder: "empty holds no images$",
    only_text: r"texts holds no images \(.png.*it has .txt",
    no_train_folder: "has no train part, only validation and test",
    empty_test_folder: "the folder test holds no images",
    two_validation_folders: "2 folders for validation: val, valid",
    class_folder_without_images: "the class folder train/bird holds no images",
    class_folder_of_text: "the class folder bird holds no images",
    image_beside_splits: "stray.png lies beside the folders of the splits",
    folder_beside_splits: "more/stray.png lies beside the folders of the splits",
    image_beside_classes: "train/stray.png lies beside class folders",
    undecodable: "6.png does not decode",
    cut_short: "6.png does not decode",
    without_bytes: "6.png does not decode",
    another_size: "6.png is 9×9, and the first image 8×8|first image 9×9",
    oblong: "5.png is 9×8, and images need to be square",
    too_small: "5.png is 2×2, and a side needs 4 to 1024 pixels",
    sixteen_bits_grey: "6.png has more than eight bits",
    sixteen_bits_colour: "6.png has more than eight bits",
    sixteen_bits_ppm: "6.ppm has more than eight bits",
    floating_point: "6.tif has more than eight bits",
    decompression_bomb: "6.pgm does not decode",
    too_few_images: "too few images for train|too few images for validation",
    plain_file: "images is not a folder, a zip file or a Parquet file",
    nothing_there: "no file matches",
    no_zip_there: "nowhere.zip cannot be read: No such file",
    text_as_zip: "x.zip is not a zip file, or is cut short",
    truncated_zip: "x.zip is not a zip file, or is cut short",
    damaged_zip: "in .*x.zip is damaged",
    empty_zip: "x.zip holds no images",
    zip_that_climbs: r"names a place outside itself: \.\./\.\./evil.png",
    zip_of_the_root: "names a place outside itself: /etc/evil.png",
    zip_with_one_name_twice: "holds 1.png twice",
    encrypted_zip: "cannot be read: it is encrypted",
    truncated_parquet: "x_test.parquet is not a Parquet file, or is cut short",
    ambiguous_shard: "x_train_test.parquet says train and test",
    deep_image_in_parquet: "image 0 of .*x_test.parquet has more than eight bits",
    partition_that_lacks_an_image: "does not say the split of img_align_celeba/2.png",
    partition_of_other_numbers: "line 1 of .*list_eval_partition.txt is not an image name",
    label_too_large: "has the label 18446744073709551615, too large",
}


def make(folder: Path) -> str:
    folder.mkdir(parents=True)
    return str(folder)


def with_file(at: Path, pictures: Any, content: bytes, *paths: str) -> str:
    tree = pictures.write_tree(at / "tree", *TREE)
    for path in paths or ("test/cat/6.png",):
        (tree / path).write_bytes(content)
    return str(tree)


def zipped(at: Path, pictures: Any) -> Path:
    path: Path = pictures.zip_of(pictures.write_tree(at / "tree", *TREE), at / "x.zip")
    return path


def shards(at: Path, pictures: Any) -> str:
    for split, seeds in (("train", range(9)), ("test", range(9, 12))):
        table = pa.table({"image": [pictures.png(seed) for seed in seeds]})
        pq.write_table(table, at / f"x_{split}.parquet")
    return f"{at}/*.parquet"


@pytest.fixture
def storage(tmp_path: Path, pictures: Any) -> Path:
    """A data folder with one set in it already."""
    tree = pictures.write_tree(tmp_path / "before", *TREE)
    prepare_dataset("before", str(tree), tmp_path / "data")
    return tmp_path / "data"


def assert_refused(
    name: str, source: str | None, folder: Path, words: str, **options: Any
) -> None:
    """The sentence comes, alone, and the folder is what it was."""
    before = sorted(folder.iterdir()) if folder.exists() else None
    with pytest.raises(InputError, match=words) as raised:
        prepare_dataset(name, source, folder, **options)
    assert "\n" not in str(raised.value)
    assert (sorted(folder.iterdir()) if folder.exists() else None) == before


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda breaking: breaking.__name__)
def test_a_broken_source_is_one_sentence_and_leaves_nothing_behind(
    breaking: Break, storage: Path, tmp_path: Path, pictures: Any
) -> None:
    (tmp_path / "source").mkdir()
    source = breaking(tmp_path / "source", pictures)
    assert_refused("mine", source, storage, BROKEN[breaking])
    assert_refused("mine", source, tmp_path / "new" / "data", BROKEN[breaking])
    assert not (tmp_path / "new").exists()


def test_an_image_smaller_than_the_crop_is_refused(
    storage: Path, tmp_path: Path, pictures: Any
) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *TREE)
    wanted = ImageFormat(channels=3, size=64)
    words = "is 8×8, too small for a crop of 148 pixels"
    assert_refused("mine", str(tree), storage, words, format=wanted, crop="148")


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fsync"])
def test_a_full_disk_is_told(
    call: str, storage: Path, tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tree = pictures.write_tree(tmp_path / "tree", *TREE)
    monkeypatch.setattr(os, call, full)
    assert_refused(
        "mine", str(tree), storage, "mine cannot be prepared in .*data: the disk is full"
    )


def test_a_write_that_is_cut_short_is_a_full_disk(
    storage: Path, tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *TREE)
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: len(data) // 2)
    assert_refused("mine", str(tree), storage, "the disk is full")


def test_an_image_that_may_not_be_read_is_named(
    storage: Path, tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    tree = pictures.write_tree(tmp_path / "tree", *TREE)
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert_refused("mine", str(tree), storage, "5.png cannot be read: Permission denied")


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path, pictures: Any) -> None:
    tree = pictures.write_tree(tmp_path / "tree", *TREE)
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(InputError, match=r"cannot be prepared in .*data: (File exists|Not a dir)"):
        prepare_dataset("mine", str(tree), tmp_path / "data")
    assert (tmp_path / "data").read_text() == "no folder"


BREAKING_OFF: dict[str, tuple[Exception, str]] = {
    "no network": (urllib.error.URLError("no route to host"), "no route to host"),
    "not found": (urllib.error.HTTPError("x", 404, "Not Found", None, None), "404"),  # type: ignore[arg-type]
    "cut connection": (ConnectionResetError(104, "Connection reset by peer"), "reset by peer"),
    "wrong checksum": (RuntimeError("File not found or corrupted."), "not found or corrupted"),
    "torn archive": (EOFError(), "EOFError"),
    "several lines": (RuntimeError("Error downloading:\nfirst\nsecond"), "downloading: first"),
}


@pytest.mark.parametrize("how", BREAKING_OFF)
@pytest.mark.parametrize("name", ["cifar10", "celeba"])
def test_a_download_that_breaks_off_names_the_other_sources(
    how: str, name: str, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, words = BREAKING_OFF[how]

    def broken(root: str, **options: object) -> None:
        Path(root, "half.tar.gz").write_text("half an archive")
        raise error

    import torchvision

    classes = SimpleNamespace(CIFAR10=broken, CelebA=broken)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", classes)
    monkeypatch.setattr(torchvision, "datasets", classes)
    hint = ".*Google Drive" if name == "celeba" else ""
    assert_refused(
        name, None, storage, rf"could not be downloaded \(.*{words}.*\);{hint}.*--source"
    )


def test_a_name_without_a_download_needs_a_source(storage: Path) -> None:
    assert_refused(
        "mine", None, storage, "mine needs --source .*only celeba, cifar10.*can be downloaded"
    )


SCRIPT = """
import sys
from pathlib import Path
from trainables.data.preparation import prepare_dataset
print("ready", flush=True)
prepare_dataset("mine", sys.argv[1], Path(sys.argv[2]))
"""


def test_a_preparation_killed_at_any_moment_succeeds_when_repeated(
    tmp_path: Path, pictures: Any
) -> None:
    for split, first, num in (("train", 0, 3000), ("test", 3000, 1000)):
        table = pa.table({"image": [pictures.png(first + seed) for seed in range(num)]})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    source, folder = f"{tmp_path}/*.parquet", tmp_path / "data"
    started = time.monotonic()
    whole = prepare_dataset("mine", source, tmp_path / "whole")
    seconds = time.monotonic() - started
    draw = random.Random(7)
    for _ in range(5):
        arguments = [sys.executable, "-c", SCRIPT, source, str(folder)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.9 * seconds))
            os.kill(process.pid, signal.SIGKILL)
        found = find_prepared("mine", folder)
        assert found is None or found.fingerprint == whole.fingerprint
    prepared = prepare_dataset("mine", source, folder)
    assert prepared.fingerprint == whole.fingerprint
    assert sorted(folder.iterdir()) == [prepared.path]
