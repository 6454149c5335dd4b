import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.config import ImageFormat
from trainables.data.prepared_file import Splits, prepared_names, read_splits
from trainables.data.resized_set import prepare_resized, resized_fingerprint
from trainables.error import InputError
from trainables.resize import resized, resized_array

SIZES = [(8, 32), (32, 64), (64, 32), (48, 32), (218, 64)]


def noise(num: int, size: int, num_levels: int = 256, seed: int = 0) -> np.ndarray:
    shape = (num, 3, size, size)
    return np.random.default_rng(seed).integers(0, num_levels, shape, np.uint8)


def splits(num: int = 20, size: int = 8) -> Splits:
    counts = {"train": num, "validation": num // 4, "test": num // 2}
    return {
        name: (noise(count, size, seed=count), np.arange(count)) for name, count in counts.items()
    }


RGB8 = ImageFormat(channels=3, size=8)


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_pixels_are_those_of_pil(before: int, after: int) -> None:
    images = noise(2, before)
    found = resized_array(images, after).astype(int)
    for image, pixels in zip(images, found, strict=True):
        picture = Image.fromarray(image.transpose(1, 2, 0))
        expected = np.asarray(picture.resize((after, after), Image.Resampling.BILINEAR))
        # PIL rounds twice, once for each direction.
        assert abs(pixels - expected.transpose(2, 0, 1)).max() <= 1


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_levels_stay_within_their_range(before: int, after: int, num_levels: int) -> None:
    found = resized_array(noise(3, before, num_levels), after)
    assert found.max() < num_levels
    top = np.full((1, 1, before, before), num_levels - 1, np.uint8)
    assert (resized_array(top, after) == num_levels - 1).all()


@pytest.mark.parametrize("shape", [(24, 12), (12, 24), (12, 13), (12, 12)])
def test_the_shorter_side_is_resized_and_the_centre_cut_out(shape: tuple[int, int]) -> None:
    height, width = shape
    image = torch.zeros(1, 1, height, width, dtype=torch.uint8)
    top, left = (height - 12) // 2, (width - 12) // 2
    image[..., top : top + 12, left : left + 12] = 200
    found = resized(image, 6)
    assert found.shape == (1, 1, 6, 6)
    assert (found[..., 1:-1, 1:-1] == 200).all()


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    stripes = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 255
    inner = resized(stripes, 8)[..., 1:-1].double()
    assert (inner - 127.5).abs().max() < 4


def test_a_resized_set_is_written_once_and_mapped(tmp_path: Path) -> None:
    source = splits()
    first = prepare_resized("x", source, RGB8, "a" * 64, 32, tmp_path)
    written = first.path.stat().st_mtime_ns
    assert prepare_resized("x", source, RGB8, "a" * 64, 32, tmp_path) == first
    assert first.path.stat().st_mtime_ns == written
    for name, (images, labels) in read_splits(first).items():
        np.testing.assert_array_equal(images, resized_array(source[name][0], 32))
        np.testing.assert_array_equal(labels, source[name][1])
        assert not images.flags.owndata
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_another_source_or_size_is_another_file(tmp_path: Path) -> None:
    keys = [("a" * 64, 32), ("a" * 64, 64), ("b" * 64, 32)]
    files = {prepare_resized("x", splits(), RGB8, *key, tmp_path).path for key in keys}
    assert len(files) == len({resized_fingerprint(*key) for key in keys}) == 3


def test_a_resized_file_is_no_data_set_by_itself(tmp_path: Path) -> None:
    prepare_resized("x", splits(), RGB8, "a" * 64, 32, tmp_path)
    assert prepared_names(tmp_path) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = prepare_resized("x", splits(), RGB8, "a" * 64, 32, tmp_path).path
    path.write_bytes(b"torn")
    with pytest.raises(InputError, match=r"x@32-.*is damaged"):
        prepare_resized("x", splits(), RGB8, "a" * 64, 32, tmp_path)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    stem = f"x@32-{resized_fingerprint('a' * 64, 32)[:12]}"
    for ending in ("pixels", "arrow", "lock"):
        (tmp_path / f".{stem}.{ending}").write_bytes(b"torn")
    prepared = prepare_resized("x", splits(), RGB8, "a" * 64, 32, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [prepared.path.name]


SCRIPT = """
import sys
from pathlib import Path
from trainables.config import DataConfig
from trainables.data.dataset import load_dataset
config = DataConfig(dataset="digits", resize=64)
print(load_dataset(config, Path(sys.argv[1])).train.sum())
"""


def test_two_processes_resize_one_set_without_harm(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "data")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    assert len(list((tmp_path / "data").iterdir())) == 1
