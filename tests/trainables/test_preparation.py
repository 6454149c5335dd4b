import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.preparation import prepare_dataset
from trainables.prepared_file import find_prepared, prepared_names, read_prepared

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


def picture(seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pngs(num: int, first: int = 0) -> list[bytes]:
    return [encoded(picture(first + seed)) for seed in range(num)]


def shard(
    path: Path, images: Sequence[bytes], labels: Sequence[object] | None = None, key: str = "image"
) -> None:
    columns: dict[str, object] = {key: [{"bytes": image, "path": None} for image in images]}
    if labels is not None:
        columns["label"] = labels
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Twenty images to train on and five to test, labelled by their number."""
    folder = tmp_path / "source"
    folder.mkdir()
    shard(folder / "x_train-0.parquet", pngs(12), range(12))
    shard(folder / "x_train-1.parquet", pngs(8, 12), range(12, 20))
    shard(folder / "x_test.parquet", pngs(5, 20), range(20, 25))
    return folder


def glob_of(folder: Path) -> str:
    return str(folder / "*.parquet")


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def pixels_of(seed: int) -> np.ndarray:
    return np.asarray(picture(seed)).transpose(2, 0, 1)


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
        np.testing.assert_array_equal(image, pixels_of(label))


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
            image = picture(20)
            image.putpixel((0, 0), (1, 2, 3))
            shard(numbered / "x_test.parquet", [encoded(image), *pngs(4, 21)], range(20, 25))
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


def test_images_of_another_size_are_resized_on_the_shorter_side_and_cropped(
    numbered: Path, tmp_path: Path
) -> None:
    wide = Image.new("RGB", (48, 16), (200, 10, 10))
    wide.paste((10, 200, 10), (16, 0, 32, 16))
    shard(numbered / "x_test.parquet", [encoded(wide)], [0])
    prepared = prepare_dataset("x", glob_of(numbered), tmp_path / "data", RGB8)
    centre = read_prepared(prepared)[0][-1][:, :, 2:6]
    assert (centre == np.array([10, 200, 10])[:, None, None]).all()


def test_shrinking_averages_instead_of_picking_pixels(numbered: Path, tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    for mode in ("L", "P"):
        image = Image.fromarray(stripes).convert(mode)
        shard(numbered / "x_test.parquet", [encoded(image)], [0])
        wanted = ImageFormat(channels=1, size=8)
        prepared = prepare_dataset("x", glob_of(numbered), tmp_path / mode, wanted)
        inner = read_prepared(prepared)[0][-1, 0, :, 1:-1].astype(int)
        assert abs(inner - 127.5).max() < 4


@pytest.mark.parametrize(("mode", "channels"), [("L", 3), ("RGB", 1)])
def test_colour_follows_the_format_that_is_asked_for(
    numbered: Path, tmp_path: Path, mode: str, channels: int
) -> None:
    shard(numbered / "x_test.parquet", [encoded(picture(3, mode=mode))], [0])
    wanted = ImageFormat(channels=channels, size=8)
    images, _ = read_prepared(prepare_dataset("x", glob_of(numbered), tmp_path / "data", wanted))
    assert images.shape == (21, channels, 8, 8)
    expected = np.asarray(picture(3, mode=mode).convert("RGB" if channels == 3 else "L"))
    np.testing.assert_array_equal(images[-1].transpose(1, 2, 0).squeeze(), expected)


def test_plain_bytes_and_missing_labels_are_understood(tmp_path: Path) -> None:
    for split, num in (("train", 10), ("test", 3)):
        columns = {"img": pngs(num), "label": pa.array([None] * num, pa.int64())}
        pq.write_table(pa.table(columns), tmp_path / f"{split}.parquet")
    prepared = prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert set(read_prepared(prepared)[1].tolist()) == {-1}


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    grey = [encoded(picture(seed, mode="L")) for seed in range(10)]
    for split in ("train", "test"):
        shard(tmp_path / f"{split}.parquet", grey)
    prepared = prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert prepared.format == ImageFormat(channels=1, size=8)
    np.testing.assert_array_equal(
        read_prepared(prepared)[0][-1, 0], np.asarray(picture(9, mode="L"))
    )


def test_what_a_crashed_preparation_left_is_removed(numbered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (".x.pixels", ".x.arrow", ".x.lock"):
        (folder / name).write_bytes(b"torn")
    prepared = prepare_dataset("x", glob_of(numbered), folder)
    assert files_in(folder) == [prepared.path.name]


BROKEN = {
    "no files": "no file matches",
    "no split in the name": "says no split",
    "no train": "'train' in its name",
    "no test": "'test' in its name",
    "not Parquet": "no Parquet file",
    "truncated": "no Parquet file, or is cut short",
    "empty file": "no Parquet file",
    "damaged inside": "damaged|does not decode",
    "no image column": "needs a column `image` or `img`, it has picture",
    "images are text": "encoded bytes are needed",
    "labels are text": "integers are needed",
    "undecodable": "image 1 of .*x_test.parquet does not decode",
    "cut image": "image 0 of .*x_test.parquet does not decode",
    "no bytes": "image 0 of .*x_test.parquet does not decode",
    "sixteen bits": "more than eight bits",
    "other size": "image 1 of .*x_test.parquet is 9×8, and the first image 8×8",
    "not square": "is 9×8, and images need to be square",
    "no rows": "too few images for test",
}


def break_it(numbered: Path, how: str) -> None:
    test = numbered / "x_test.parquet"
    match how:
        case "no files":
            for path in numbered.iterdir():
                path.unlink()
        case "no split in the name":
            test.rename(numbered / "x_other.parquet")
        case "no train":
            for path in numbered.glob("*train*"):
                path.unlink()
        case "no test":
            test.unlink()
        case "not Parquet":
            test.write_text("image,label\n")
        case "truncated":
            test.write_bytes(test.read_bytes()[:-100])
        case "empty file":
            test.write_bytes(b"")
        case "damaged inside":
            content = bytearray(test.read_bytes())
            content[10:400] = bytes(390)
            test.write_bytes(content)
        case "no image column":
            shard(test, pngs(2), key="picture")
        case "images are text":
            pq.write_table(pa.table({"image": ["a.png"]}), test)
        case "labels are text":
            shard(test, pngs(2), ["cat", "dog"])
        case "undecodable":
            shard(test, [*pngs(1), b"no picture"])
        case "cut image":
            shard(test, [pngs(1)[0][:80]])
        case "no bytes":
            pq.write_table(pa.table({"image": pa.array([None], pa.binary())}), test)
        case "sixteen bits":
            shard(test, [encoded(Image.new("I;16", (8, 8)))])
        case "other size":
            shard(test, [*pngs(1), encoded(picture(0, (9, 8)))])
        case "not square":
            shard(test, [encoded(picture(0, (9, 8)))])
        case "no rows":
            pq.write_table(pq.read_table(test).slice(0, 0), test)


@pytest.mark.parametrize("how", BROKEN)
def test_a_numbered_one_broken_is_one_sentence_and_leaves_nothing_behind(
    numbered: Path, tmp_path: Path, how: str
) -> None:
    break_it(numbered, how)
    with pytest.raises(InputError, match=BROKEN[how]) as caught:
        prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path / "data") == []


@pytest.mark.parametrize("name", ["../x", "", "a b", "x.y", "digits"])
def test_a_name_that_is_no_name_is_refused(numbered: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"named with letters|scikit-learn"):
        prepare_dataset(name, glob_of(numbered), tmp_path / "data")
    assert files_in(tmp_path / "data") == []


def test_an_interrupted_preparation_leaves_nothing(numbered: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_dataset("x", glob_of(numbered), tmp_path / "data", progress=interrupt)
    assert files_in(tmp_path / "data") == []


OPENING = """
import sys
from pathlib import Path
from trainables.prepared_file import find_prepared, read_splits
images, labels = read_splits(find_prepared("x", Path(sys.argv[1])))["test"]
assert labels.tolist() == [20, 21, 22, 23, 24]
assert not {"pandas", "torch"} & set(sys.modules)
"""


def test_opening_loads_nothing_heavy(numbered: Path, tmp_path: Path) -> None:
    prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    subprocess.run([sys.executable, "-c", OPENING, str(tmp_path / "data")], check=True)
