import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.trainables.pictures import Pictures
from tests.trainables.shards import files_in, glob_of, pngs, shard
from trainables.config import ImageFormat
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import find_prepared, prepared_names, read_prepared
from trainables.error import InputError

RGB8 = ImageFormat(channels=3, size=8)


def test_every_pixel_and_label_arrives_once_and_in_the_order_of_splits(
    numbered: Path, tmp_path: Path
) -> None:
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    images, labels = read_prepared(prepared)
    assert (prepared.num_train, prepared.num_validation, prepared.num_test) == (18, 2, 5)
    assert prepared.format == RGB8
    assert sorted(labels[:20]) == list(range(20))
    assert labels[20:].tolist() == [20, 21, 22, 23, 24]
    for image, label in zip(images, labels, strict=True):
        expected = np.asarray(Pictures.picture(label)).transpose(2, 0, 1)
        np.testing.assert_array_equal(image, expected)


def test_the_images_are_mapped_and_not_read(numbered: Path, tmp_path: Path) -> None:
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    pixels, _ = read_prepared(prepared)
    assert not pixels.flags.owndata
    assert not pixels.flags.writeable


def test_a_validation_shard_is_taken_as_it_is(numbered: Path, tmp_path: Path) -> None:
    shard(numbered / "x_valid.parquet", pngs(7, 30))
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    assert (prepared.num_train, prepared.num_validation, prepared.num_test) == (20, 7, 5)


def test_the_fingerprint_follows_content_and_not_file_names(
    numbered: Path, tmp_path: Path
) -> None:
    one = prepare_dataset("x", glob_of(numbered), tmp_path / "one", RGB8)
    renamed = numbered / "a_test.parquet"
    (numbered / "x_test.parquet").rename(renamed)
    two = prepare_dataset("x", glob_of(numbered), tmp_path / "two", RGB8)
    shard(renamed, pngs(5, 70), range(20, 25))
    three = prepare_dataset("x", glob_of(numbered), tmp_path / "three", RGB8)
    assert one.fingerprint == two.fingerprint != three.fingerprint


def test_the_same_source_is_prepared_once(numbered: Path, tmp_path: Path) -> None:
    one = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    before = one.path.stat().st_mtime_ns
    told: list[int] = []
    again = prepare_dataset(
        "x",
        glob_of(numbered),
        tmp_path / "data",
        RGB8,
        lambda done, total: told.append(done),
    )
    assert again == one
    assert told == []
    assert one.path.stat().st_mtime_ns == before


def test_a_damaged_prepared_file_is_named(numbered: Path, tmp_path: Path) -> None:
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    prepared.path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        find_prepared("x", tmp_path / "data")


def test_real_cifar10_arrives_with_its_known_statistics(real_data: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    prepared = prepare_dataset("cifar10", f"{real_data}/cifar10_*.parquet", tmp_path / "data")
    pixels, labels = read_prepared(prepared)
    assert time.monotonic() - started < 120
    assert pixels.shape == (60000, 3, 32, 32)
    means = pixels[:50000].mean(axis=(0, 2, 3)) / 255
    assert means == pytest.approx([0.49140, 0.48216, 0.44653], abs=1e-4)
    assert list(np.bincount(labels)) == [6000] * 10


def test_the_file_is_named_by_its_fingerprint_and_says_what_it_is(
    numbered: Path, tmp_path: Path
) -> None:
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    assert files_in(tmp_path / "data") == [f"x-{prepared.fingerprint[:12]}.arrow"]
    with pa.memory_map(str(prepared.path)) as file:
        reader = pa.ipc.open_file(file)
        metadata = reader.schema.metadata[b"prior-study"].decode()
        assert reader.num_record_batches == 1
    for fact in (prepared.fingerprint, '"num_train": 18', '"num_levels": 256', "antialias"):
        assert fact in metadata


def test_prepared_sets_are_found_by_name(numbered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert find_prepared("x", folder) is None
    assert prepared_names(folder) == []
    prepared = prepare_dataset("x", glob_of(numbered), folder)
    longer = prepare_dataset("x-y", glob_of(numbered), folder)
    assert (find_prepared("x", folder), find_prepared("x-y", folder)) == (prepared, longer)
    assert prepared_names(folder) == ["x", "x-y"]


@pytest.mark.parametrize("change", ["pixel", "label", "split", "resize"])
def test_the_fingerprint_notices_a_change(numbered: Path, tmp_path: Path, change: str) -> None:
    before = prepare_dataset("x", glob_of(numbered), tmp_path / "one").fingerprint
    match change:
        case "pixel":
            image = Pictures.picture(20)
            image.putpixel((0, 0), (1, 2, 3))
            shard(
                numbered / "x_test.parquet", [Pictures.encoded(image), *pngs(4, 21)], range(20, 25)
            )
        case "label":
            shard(numbered / "x_test.parquet", pngs(5, 20), [0, 21, 22, 23, 24])
        case "split":
            (numbered / "x_train-1.parquet").rename(numbered / "x_valid.parquet")
    wanted = RGB8 if change == "resize" else None
    after = prepare_dataset("x", glob_of(numbered), tmp_path / "two", wanted).fingerprint
    assert after != before


def test_the_same_content_from_elsewhere_is_the_same_set(numbered: Path, tmp_path: Path) -> None:
    first = prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    numbered.rename(tmp_path / "moved")
    assert prepare_dataset("x", glob_of(tmp_path / "moved"), tmp_path / "data") == first


def test_other_content_under_a_name_is_refused_with_both_fingerprints(
    numbered: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    first = prepare_dataset("x", glob_of(numbered), folder)
    shard(numbered / "x_test.parquet", pngs(5, 70), range(5))
    with pytest.raises(InputError, match=f"{first.fingerprint[:12]}.*another name, or remove"):
        prepare_dataset("x", glob_of(numbered), folder)
    assert files_in(folder) == [first.path.name]
    assert find_prepared("x", folder) == first
    assert prepared_names(folder) == ["x"]


@pytest.mark.parametrize("name", ["../x", "", "a b", "x.y", "digits"])
def test_a_name_that_is_no_name_is_refused(numbered: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"named with letters|scikit-learn"):
        prepare_dataset(name, glob_of(numbered), tmp_path / "data")
    assert files_in(tmp_path / "data") == []


OPENING = """
import sys
from pathlib import Path
from trainables.data.prepared_file import find_prepared, read_splits
images, labels = read_splits(find_prepared("x", Path(sys.argv[1])))["test"]
print(labels.tolist(), {"pandas", "torch"} & set(sys.modules))
"""


def test_opening_loads_nothing_heavy(numbered: Path, tmp_path: Path) -> None:
    prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    command = [sys.executable, "-c", OPENING, str(tmp_path / "data")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[20, 21, 22, 23, 24] set()"
