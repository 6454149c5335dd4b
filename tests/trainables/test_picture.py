from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.trainables.pictures import Pictures
from tests.trainables.shards import glob_of, pngs, shard
from trainables.config import ImageFormat
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import read_prepared

RGB8 = ImageFormat(channels=3, size=8)


def test_images_of_another_size_are_resized_on_the_shorter_side_and_cropped(
    numbered: Path, tmp_path: Path
) -> None:
    wide = Image.new("RGB", (48, 16), (200, 10, 10))
    wide.paste((10, 200, 10), (16, 0, 32, 16))
    shard(numbered / "x_test.parquet", [Pictures.encoded(wide)], [0])
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    centre = read_prepared(prepared)[0][-1][:, :, 2:6]
    assert (centre == np.array([10, 200, 10])[:, None, None]).all()


def test_shrinking_averages_instead_of_picking_pixels(numbered: Path, tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    for mode in ("L", "P"):
        image = Image.fromarray(stripes).convert(mode)
        shard(numbered / "x_test.parquet", [Pictures.encoded(image)], [0])
        wanted = ImageFormat(channels=1, size=8)
        prepared = prepare_dataset("x", glob_of(numbered), tmp_path / mode, wanted)
        inner = read_prepared(prepared)[0][-1, 0, :, 1:-1].astype(int)
        assert abs(inner - 127.5).max() < 4


@pytest.mark.parametrize(("mode", "channels"), [("L", 3), ("RGB", 1)])
def test_colour_follows_the_format_that_is_asked_for(
    numbered: Path, tmp_path: Path, mode: str, channels: int
) -> None:
    # Its seed is of no image of train, of which it would be a copy.
    shard(numbered / "x_test.parquet", [Pictures.encoded(Pictures.picture(30, mode=mode))], [0])
    wanted = ImageFormat(channels=channels, size=8)
    images, _ = read_prepared(prepare_dataset("x", glob_of(numbered), tmp_path / "data", wanted))
    assert images.shape == (21, channels, 8, 8)
    expected = np.asarray(Pictures.picture(30, mode=mode).convert("RGB" if channels == 3 else "L"))
    np.testing.assert_array_equal(images[-1].transpose(1, 2, 0).squeeze(), expected)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    grey = [Pictures.encoded(Pictures.picture(seed, mode="L")) for seed in range(20)]
    shard(tmp_path / "train.parquet", grey[10:])
    shard(tmp_path / "test.parquet", grey[:10])
    prepared = prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert prepared.format == ImageFormat(channels=1, size=8)
    np.testing.assert_array_equal(
        read_prepared(prepared)[0][-1, 0], np.asarray(Pictures.picture(9, mode="L"))
    )


def test_plain_bytes_and_missing_labels_are_understood(tmp_path: Path) -> None:
    for split, num, first in (("train", 10, 0), ("test", 3, 20)):
        columns = {"img": pngs(num, first), "label": pa.array([None] * num, pa.int64())}
        pq.write_table(pa.table(columns), tmp_path / f"{split}.parquet")
    prepared = prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert set(read_prepared(prepared)[1].tolist()) == {-1}


def test_images_without_labels_are_marked_so(tmp_path: Path) -> None:
    for first, split in enumerate(("train", "test")):
        shard(tmp_path / f"{split}.parquet", pngs(4, 10 * first))
    prepared = prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert set(read_prepared(prepared)[1]) == {-1}
    assert prepared.format == RGB8
