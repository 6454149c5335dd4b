import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console

from study.distance.image_distance import image_distance, tell_image_distance
from study.distance.image_set import ImageSet, load_image_set
from tests.trainables.pictures import Pictures
from trainables.config import FIDConfig, PreparationConfig
from trainables.error import InputError

PIXELS = FIDConfig(features="pixels")


def tinted(shift: int, num: int = 60, size: int = 4) -> np.ndarray:
    draw = np.random.default_rng(shift)
    return draw.integers(shift, shift + 100, (num, size, size, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for number, pixels in enumerate(tinted(0)):
        place = folder if number % 2 else folder / "deeper"
        Image.fromarray(pixels).save(place / f"{number:03d}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def shards(tmp_path: Path) -> str:
    for part, shift in enumerate((0, 50)):
        pq.write_table(
            pa.table({"image": [png(pixels) for pixels in tinted(shift)]}),
            tmp_path / f"images-{part}.parquet",
        )
    return str(tmp_path / "images-*.parquet")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_folder_gives_all_its_images_and_no_other_file(pictures: Path, tmp_path: Path) -> None:
    found = load_image_set(str(pictures), tmp_path, None)
    assert found.images.shape == (60, 3, 4, 4)
    expected = {pixels.transpose(2, 0, 1).tobytes() for pixels in tinted(0)}
    assert {image.tobytes() for image in found.images} == expected


def test_parquet_files_give_their_images_in_order(shards: str, tmp_path: Path) -> None:
    found = load_image_set(shards, tmp_path, None)
    expected = np.concatenate([tinted(0), tinted(50)]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(found.images, expected)


def test_a_name_gives_all_splits_and_a_split_its_own(tmp_path: Path) -> None:
    sizes = {
        text: len(load_image_set(text, tmp_path, None).images)
        for text in ("digits", "digits:train", "digits:validation", "digits:test")
    }
    assert sizes == {
        "digits": 1797, "digits:train": 1079, "digits:validation": 359, "digits:test": 359
    }  # fmt: skip


def test_a_draw_is_the_same_every_time_and_has_a_fingerprint_of_its_own(tmp_path: Path) -> None:
    one, two = (load_image_set("digits:test", tmp_path, 100) for _ in range(2))
    np.testing.assert_array_equal(one.images, two.images)
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != load_image_set("digits:test", tmp_path, None).fingerprint


def saved(folder: Path, number: int, image: Image.Image, kind: str = "PNG", **said: Any) -> None:
    folder.mkdir(exist_ok=True)
    image.save(folder / f"{number:03}.{kind.lower()}", kind, **said)


@pytest.mark.parametrize("how", ["alpha", "palette", "turned", "turned JPEG", "zip"])
def test_a_set_is_read_as_it_would_be_prepared(how: str, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    for number, pixels in enumerate(tinted(0, 60, 4) // 64 * 64):
        image = Image.fromarray(pixels)
        saved(plain, number, image)
        match how:
            case "alpha":
                # White where it is transparent, whatever colour lies below.
                clear = image.convert("RGBA")
                clear.paste((1, 2, 3, 0), (0, 0, 2, 2))
                white = image.copy()
                white.paste("white", (0, 0, 2, 2))
                saved(plain, number, white)
                saved(other, number, clear)
            case "palette":
                saved(other, number, image.quantize(256))
            case "turned":
                exif = Image.Exif()
                exif[0x0112] = 6
                saved(other, number, image.transpose(Image.Transpose.ROTATE_90), exif=exif)
            case "turned JPEG":
                exif = Image.Exif()
                exif[0x0112] = 6
                saved(other, number, image, "JPEG", exif=exif)
                # JPEG is lossy, so the plain image is what was stored, turned by hand.
                with Image.open(other / f"{number:03}.jpeg") as stored:
                    saved(plain, number, stored.transpose(Image.Transpose.ROTATE_270))
            case "zip":
                saved(other, number, image)
    if how == "zip":
        other = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", other))
    first, second = (load_image_set(str(path), tmp_path, None) for path in (plain, other))
    np.testing.assert_array_equal(first.images, second.images)
    assert first.format == second.format
    scores, _ = image_distance(first, second, PIXELS, tmp_path)
    assert scores.fid == pytest.approx(0, abs=1e-6)
    assert (second.told != ()) == (how == "alpha")


def test_sixteen_bits_are_refused_as_in_a_preparation(pictures: Path, tmp_path: Path) -> None:
    (pictures / "deep.png").write_bytes(Pictures.deep_png())
    with pytest.raises(InputError, match=r"deep\.png has more than eight bits a channel"):
        load_image_set(str(pictures), tmp_path, None)


def test_what_is_left_out_is_told(pictures: Path, tmp_path: Path) -> None:
    (pictures / "more.txt").write_text("no image")
    (pictures / ".DS_Store").write_text("no image")
    told = load_image_set(str(pictures), tmp_path, None).told
    assert told == ("2 files: no known image format (.txt), such as more.txt",)


def test_images_are_brought_to_a_size_where_that_is_asked_for(tmp_path: Path) -> None:
    for number, pixels in enumerate(tinted(0, 6, 8)):
        image = Image.fromarray(pixels)
        saved(tmp_path / "mixed", number, image if number % 2 else image.resize((12, 9)))
    with pytest.raises(InputError, match="--size 8"):
        load_image_set(str(tmp_path / "mixed"), tmp_path, None)
    config = PreparationConfig(size=8, channels=1)
    assert load_image_set(str(tmp_path / "mixed"), tmp_path, None, config).images.shape == (
        6, 1, 8, 8,
    )  # fmt: skip


def test_images_of_another_size_are_refused(pictures: Path, tmp_path: Path) -> None:
    faces, digits = (load_image_set(t, tmp_path, None) for t in (str(pictures), "digits:test"))
    with pytest.raises(InputError, match=r"3×4×4, 256 levels, .* 1×8×8, 17 levels"):
        image_distance(faces, digits, PIXELS, tmp_path)


def test_images_without_labels_need_a_named_classifier(shards: str, tmp_path: Path) -> None:
    found = load_image_set(shards, tmp_path, None)
    with pytest.raises(InputError, match=r"--classifier-dataset, or take --features"):
        image_distance(found, found, FIDConfig(), tmp_path)


def test_the_command_tells_the_numbers_and_their_protocol(
    pictures: Path, shards: str, tmp_path: Path
) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)
    tell_image_distance(str(pictures), shards, PIXELS, None, tmp_path / "studies", console)
    text = out.getvalue()
    for words in ("FID ", "KID ", "precision 1.0", "recall ", "features: pixels", "120 images"):
        assert words in " ".join(text.split()).replace("precision 1.0000", "precision 1.0")
    assert "num_samples: 60" in text


def test_nearer_images_have_the_lower_distance(tmp_path: Path) -> None:
    train = load_image_set("digits:train", tmp_path, None)
    test = load_image_set("digits:test", tmp_path, None)
    dark = ImageSet("dark", train.images // 2, train.format, "0" * 64)
    config = FIDConfig(classifier_epochs=2)
    near, protocol = image_distance(train, test, config, tmp_path)
    far, _ = image_distance(dark, test, config, tmp_path)
    assert near.fid < far.fid / 10
    assert near.kid < far.kid
    assert near.recall > far.recall
    assert protocol.features == "classifier of digits"
    assert protocol.reference == "digits:test"


def test_the_name_of_a_split_is_printed_as_it_was_written(tmp_path: Path) -> None:
    out = io.StringIO()
    config = FIDConfig(features="pixels")
    console = Console(file=out, width=200)
    tell_image_distance("digits:train", "digits:test", config, None, tmp_path / "s", console)
    assert "digits:train: 1,079 images of 1×8×8, 17 levels" in out.getvalue()
