import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.preparation import (
    find_prepared,
    prepare_dataset,
    prepared_names,
    read_prepared,
)

RGB8 = ImageFormat(channels=3, size=8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def images(num: int, size: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (num, size, size, 3), np.uint8)


def write_shard(path: Path, pixels: list[np.ndarray] | np.ndarray, labels: bool = True) -> None:
    rows = [{"bytes": png(image), "path": None} for image in pixels]
    columns = {"image": rows}
    if labels:
        columns["label"] = [row % 10 for row in range(len(rows))]
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    write_shard(folder / "mine_train-0.parquet", images(30, seed=1))
    write_shard(folder / "mine_train-1.parquet", images(20, seed=2))
    write_shard(folder / "mine_test.parquet", images(10, seed=3))
    return folder


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*")) if folder.exists() else []


def test_every_pixel_and_label_arrives(source: Path, tmp_path: Path) -> None:
    prepared = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    pixels, labels = read_prepared(prepared)
    assert (prepared.num_train, prepared.num_validation, prepared.num_test) == (45, 5, 10)
    expected = images(10, seed=3).transpose(0, 3, 1, 2)
    assert np.array_equal(pixels[-10:], expected)
    assert list(labels[-10:]) == list(range(10))
    train = np.concatenate([images(30, seed=1), images(20, seed=2)]).transpose(0, 3, 1, 2)
    assert {p.tobytes() for p in pixels[:50]} == {p.tobytes() for p in train}


def test_the_images_are_mapped_and_not_read(source: Path, tmp_path: Path) -> None:
    prepared = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    pixels, _ = read_prepared(prepared)
    assert not pixels.flags.owndata
    assert not pixels.flags.writeable


def test_a_validation_shard_is_taken_as_it_is(source: Path, tmp_path: Path) -> None:
    write_shard(source / "mine_valid.parquet", images(7, seed=4))
    prepared = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    assert (prepared.num_train, prepared.num_validation, prepared.num_test) == (50, 7, 10)


def test_the_fingerprint_follows_content_and_not_file_names(source: Path, tmp_path: Path) -> None:
    one = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "one", RGB8)
    renamed = source / "a_test.parquet"
    (source / "mine_test.parquet").rename(renamed)
    two = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "two", RGB8)
    write_shard(renamed, images(10, seed=9))
    three = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "three", RGB8)
    assert one.fingerprint == two.fingerprint != three.fingerprint


def test_the_same_source_is_prepared_once(source: Path, tmp_path: Path) -> None:
    one = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    before = one.path.stat().st_mtime_ns
    told: list[int] = []
    again = prepare_dataset(
        "mine",
        f"{source}/*.parquet",
        tmp_path / "data",
        RGB8,
        lambda done, total: told.append(done),
    )
    assert again == one
    assert told == []
    assert one.path.stat().st_mtime_ns == before


def test_larger_images_are_resized_and_cropped_to_a_known_format(tmp_path: Path) -> None:
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, 8:24] = 200
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}.parquet", [wide] * 4)
    prepared = prepare_dataset("mine", f"{tmp_path}/*.parquet", tmp_path / "data", RGB8)
    pixels, _ = read_prepared(prepared)
    assert pixels.shape == (8, 3, 8, 8)
    assert pixels[:, :, :, 2:6].min() == 200


def test_images_without_labels_are_marked_so(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}.parquet", images(4), labels=False)
    prepared = prepare_dataset("mine", f"{tmp_path}/*.parquet", tmp_path / "data")
    assert set(read_prepared(prepared)[1]) == {-1}
    assert prepared.format == RGB8


def _not_parquet(source: Path) -> None:
    (source / "mine_test.parquet").write_text("this is text")


def _truncated(source: Path) -> None:
    path = source / "mine_test.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _undecodable(source: Path) -> None:
    rows = [{"bytes": b"no image", "path": None}]
    pq.write_table(pa.table({"image": rows}), source / "mine_test.parquet")


def _no_image_column(source: Path) -> None:
    pq.write_table(pa.table({"picture": [1]}), source / "mine_test.parquet")


def _sizes_differ(source: Path) -> None:
    write_shard(source / "mine_test.parquet", images(2, size=16))


def _no_test(source: Path) -> None:
    (source / "mine_test.parquet").unlink()


def _no_split(source: Path) -> None:
    (source / "mine_test.parquet").rename(source / "mine.parquet")


def _no_file(source: Path) -> None:
    for path in source.iterdir():
        path.unlink()


def _no_rows(source: Path) -> None:
    for path in source.iterdir():
        write_shard(path, [])


@pytest.mark.parametrize(
    ("breaking", "words"),
    [
        (_not_parquet, "mine_test.parquet is no Parquet file"),
        (_truncated, "mine_test.parquet is no Parquet file, or is cut short"),
        (_undecodable, "image 0 of .*mine_test.parquet does not decode"),
        (_no_image_column, "needs a column `image` or `img`, it has picture"),
        (_sizes_differ, "8×8, and the first image 16×16"),
        (_no_test, "has 'test' in its name"),
        (_no_split, "mine.parquet says no split"),
        (_no_file, "no file matches"),
        (_no_rows, "holds no images"),
    ],
)
def test_a_broken_source_is_one_sentence_and_leaves_nothing_behind(
    breaking: Callable[[Path], None], words: str, source: Path, tmp_path: Path
) -> None:
    breaking(source)
    with pytest.raises(InputError, match=words) as raised:
        prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data")
    assert "\n" not in str(raised.value)
    assert [name for name in files(tmp_path / "data") if not name.endswith(".lock")] == []


def test_other_content_under_a_prepared_name_is_refused_with_both_fingerprints(
    source: Path, tmp_path: Path
) -> None:
    one = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    write_shard(source / "mine_test.parquet", images(10, seed=9))
    with pytest.raises(InputError, match=one.fingerprint[:12]):
        prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    assert find_prepared("mine", tmp_path / "data") == one
    assert prepared_names(tmp_path / "data") == ["mine"]


def test_a_damaged_prepared_file_is_named(source: Path, tmp_path: Path) -> None:
    prepared = prepare_dataset("mine", f"{source}/*.parquet", tmp_path / "data", RGB8)
    prepared.path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        find_prepared("mine", tmp_path / "data")


SCRIPT = """
import sys
from pathlib import Path
from trainables.preparation import prepare_dataset
def told(done, total):
    print(done, flush=True)
prepare_dataset("mine", sys.argv[1], Path(sys.argv[2]), progress=told)
"""


def test_a_killed_preparation_leaves_no_half_set_and_can_be_repeated(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}.parquet", images(3000))
    arguments = [sys.executable, "-c", SCRIPT, f"{tmp_path}/*.parquet", str(tmp_path / "data")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert find_prepared("mine", tmp_path / "data") is None
    prepare_dataset("mine", f"{tmp_path}/*.parquet", tmp_path / "data")
    assert [n for n in files(tmp_path / "data") if n.endswith((".pixels", ".aside"))] == []


def test_two_processes_prepare_one_set_without_harm(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}.parquet", images(1500))
    arguments = [sys.executable, "-c", SCRIPT, f"{tmp_path}/*.parquet", str(tmp_path / "data")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(bool(output) for output in outputs) == [False, True]


def test_real_cifar10_arrives_with_its_known_statistics(real_data: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    prepared = prepare_dataset("cifar10", f"{real_data}/cifar10_*.parquet", tmp_path / "data")
    pixels, labels = read_prepared(prepared)
    assert time.monotonic() - started < 120
    assert pixels.shape == (60000, 3, 32, 32)
    means = pixels[:50000].mean(axis=(0, 2, 3)) / 255
    assert means == pytest.approx([0.49140, 0.48216, 0.44653], abs=1e-4)
    assert list(np.bincount(labels)) == [6000] * 10
