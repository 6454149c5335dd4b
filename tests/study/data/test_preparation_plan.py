"""`study data prepare` says what it understood before it works, and what is lost on the way."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from study.cli import main
from tests.trainables.pictures import Pictures
from trainables.config import ImageFormat
from trainables.data.prepared_file import find_prepared, read_splits


class Command:
    """`study data …` as it is typed, with what it printed."""

    def __init__(self, storage: Path, patch: pytest.MonkeyPatch, capture: Any) -> None:
        self.storage, self.patch, self.capture = storage, patch, capture

    def __call__(self, *arguments: str) -> tuple[int, str]:
        command = ["study", *arguments, "--storage", str(self.storage)]
        self.patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        told = self.capture.readouterr()
        return int(ended.value.code or 0), " ".join((told.out + told.err).split())

    def prepare(self, source: Path, *arguments: str) -> tuple[int, str]:
        return self("data", "prepare", "mine", "--source", str(source), *arguments)


@pytest.fixture
def study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(tmp_path / "studies", monkeypatch, capsys)


def write(folder: Path, images: dict[str, Image.Image], **options: Any) -> Path:
    for path, image in images.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / path, **options)
    return folder


def photos(num: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> list[Image.Image]:
    draw = np.random.default_rng(size[0] * size[1])
    pixels = draw.integers(0, 256, (num, size[1], size[0], 3), dtype=np.uint8)
    return [Image.fromarray(one).convert(mode) for one in pixels]


def split_photos(folder: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Path:
    names = [*(f"train/{i:02}.png" for i in range(20)), *(f"test/{i}.png" for i in range(5))]
    return write(folder, dict(zip(names, photos(25, size, mode), strict=True)))


def test_a_plan_says_what_it_understood_and_writes_nothing(study: Command, tmp_path: Path) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), "--plan")
    assert code == 0
    for words in (
        "plan for mine", "images 25", "train 18, validation 2, test 5", "8×8, colour",
        "cut from train by a seed", "3×8×8 of 256 levels", "no group is known",
    ):  # fmt: skip
        assert words in told
    assert not study.storage.exists()


def test_the_same_plan_is_told_before_the_work(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    _, plan = study.prepare(source, "--plan")
    code, told = study.prepare(source)
    assert code == 0
    assert told.startswith(plan)
    assert "18 train, 2 validation, 5 test images" in told


def test_a_contact_sheet_shows_the_images_of_each_split(study: Command, tmp_path: Path) -> None:
    source = write(tmp_path / "source", {
        **{f"train/{i:02}.png": Image.new("RGB", (8, 8), (250, i, 0)) for i in range(20)},
        **{f"test/{i}.png": Image.new("RGB", (8, 8), (0, i, 250)) for i in range(5)},
    })  # fmt: skip
    sheet = tmp_path / "new" / "sheet.png"
    code, told = study.prepare(source, "--plan", "--preview", str(sheet))
    assert code == 0
    assert f"contact sheet: {sheet}" in told
    pixels = np.asarray(Image.open(sheet)).astype(int)
    third = pixels.shape[1] // 3
    is_red, is_blue = pixels[..., 0] - pixels[..., 2] > 200, pixels[..., 2] - pixels[..., 0] > 200
    assert is_red[:, : 2 * third].sum() > 18 * 60**2
    assert not is_red[:, 2 * third + 20 :].any()
    assert is_blue[:, 2 * third :].sum() > 4 * 60**2
    assert not study.storage.exists()


@pytest.mark.parametrize("where", ["folder", "folder/notes.txt/sheet.png"])
def test_a_contact_sheet_that_cannot_be_written_is_one_sentence(
    where: str, study: Command, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("a file")
    source = split_photos(tmp_path / "source")
    code, told = study.prepare(source, "--preview", str(tmp_path / where))
    assert code == 2
    assert f"error: the contact sheet {tmp_path / where} cannot be written: " in told
    assert not study.storage.exists()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["notes.txt"]


def test_sizes_that_differ_are_told_with_the_remedy(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    write(source, {"train/other.png": photos(1, (12, 12))[0]})
    code, told = study.prepare(source)
    assert code == 2
    assert "is 12×12, and the first image 8×8: all need one size" in told
    assert "--size 8 brings them to one" in told
    code, told = study.prepare(source, "--size", "8")
    assert code == 0
    assert "1 image resampled down to 8×8" in told
    code, told = study("data", "list")
    assert "converted: 1 image resampled down to 8×8" in told


def test_photos_that_are_not_square_need_a_size(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source", (12, 8))
    code, told = study.prepare(source)
    assert code == 2
    assert "is 12×8, and images need to be square; --size 8" in told
    code, told = study.prepare(source, "--size", "8")
    assert code == 0
    assert "25 images cut to the centre square of the shorter side: 67% of the area" in told


def test_images_smaller_than_the_size_are_told(study: Command, tmp_path: Path) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), "--size", "16")
    assert code == 0
    assert "warning: 25 images resampled up to 16×16" in told


@pytest.mark.parametrize("first", ["L", "RGB"])
def test_one_image_in_colour_makes_the_set_coloured(
    first: str, study: Command, tmp_path: Path
) -> None:
    other = {"L": "RGB", "RGB": "L"}[first]
    source = split_photos(tmp_path / "source", mode=first)
    write(source, {"train/99.png": photos(1, mode=other)[0]})
    code, told = study.prepare(source)
    assert code == 0
    assert "brought to three equal channels" in told
    prepared = find_prepared("mine", study.storage / "data")
    assert prepared is not None
    assert prepared.format == ImageFormat(channels=3, size=8)


def test_colours_are_given_up_only_by_word(study: Command, tmp_path: Path) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), "--channels", "1")
    assert code == 0
    assert "25 images without the colours that they have" in told
    code, told = study("data", "prepare", "mnist", "--source",
                       str(split_photos(tmp_path / "coloured", (28, 28))))  # fmt: skip
    assert code == 2
    assert "mnist has grey images, but 25 of 25 looked at have colours; --channels 1" in told


def test_grey_images_stored_in_colour_are_told(study: Command, tmp_path: Path) -> None:
    grey = [image.convert("L").convert("RGB") for image in photos(25)]
    names = [*(f"train/{i:02}.png" for i in range(20)), *(f"test/{i}.png" for i in range(5))]
    source = write(tmp_path / "source", dict(zip(names, grey, strict=True)))
    _, told = study.prepare(source, "--plan")
    assert "no image looked at has colours; --channels 1 keeps one channel of three" in told
    code, told = study.prepare(source, "--channels", "1")
    assert code == 0
    assert "lose" not in told


def test_levels_that_are_a_sliver_of_the_range_are_told(study: Command, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    masks = [Image.fromarray(draw.integers(0, 2, (8, 8), dtype=np.uint8)) for _ in range(25)]
    names = [*(f"train/{i:02}.png" for i in range(20)), *(f"test/{i}.png" for i in range(5))]
    source = write(tmp_path / "source", dict(zip(names, masks, strict=True)))
    _, told = study.prepare(source, "--plan")
    assert "use the levels 0 to 1 of 0 to 255 only; --levels 2" in told
    code, told = study.prepare(source, "--levels", "2")
    assert code == 0
    prepared = find_prepared("mine", study.storage / "data")
    assert prepared is not None
    assert prepared.format == ImageFormat(channels=1, size=8, num_levels=2)
    assert read_splits(prepared)["test"][0].max() == 1


def test_a_level_beyond_those_that_are_given_is_refused(study: Command, tmp_path: Path) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), "--levels", "16")
    assert code == 2
    assert "and 16 levels end at 15" in told
    assert not study.storage.exists()


def test_transparency_is_told_before_and_after(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    see_through = photos(1)[0].convert("RGBA")
    see_through.putalpha(0)
    write(source, {"train/99.png": see_through})
    code, told = study.prepare(source)
    assert code == 0
    assert "transparent in places, laid over white" in told
    assert "converted: 1 image transparent in places" in told
    code, told = study("data", "list")
    assert "1 image transparent in places, laid over white" in told


def test_every_broken_image_is_named_at_once(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    (source / "train" / "a.png").write_bytes(b"no picture")
    whole = (source / "train" / "00.png").read_bytes()
    (source / "test" / "b.png").write_bytes(whole[:100])
    code, told = study.prepare(source)
    assert code == 2
    assert "2 images cannot be taken" in told
    assert "a.png does not decode" in told
    assert "b.png does not decode" in told
    assert not study.storage.exists()
    code, told = study.prepare(source, "--skip-broken")
    assert code == 0
    assert "2 files: broken" in told
    assert "18 train, 2 validation, 5 test" in told


def test_an_image_broken_behind_the_first_thousand_is_left_out_too(
    study: Command, tmp_path: Path
) -> None:
    import zipfile

    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2100):
            data = Pictures.png(number)
            archive.writestr(f"{number:04}.png", data[:100] if number == 1001 else data)
    code, told = study.prepare(path)
    assert code == 2
    assert "1001.png in" in told
    assert "--skip-broken leaves it out" in told
    code, told = study.prepare(path, "--skip-broken")
    assert code == 0
    prepared = find_prepared("mine", study.storage / "data")
    assert prepared is not None
    assert prepared.num_train + prepared.num_validation + prepared.num_test == 2099


@pytest.mark.parametrize("kind", ["left out", "transparent", "frames"])
def test_strict_refuses_every_loss(kind: str, study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    first, second = photos(30)[28:]
    match kind:
        case "left out":
            (source / "notes.txt").write_text("about these images")
        case "transparent":
            first.putalpha(100)
            write(source, {"train/99.png": first})
        case "frames":
            write(source, {"train/99.gif": first}, save_all=True, append_images=[second])
    code, told = study.prepare(source, "--strict")
    assert code == 2
    assert "which --strict refuses" in told
    assert not study.storage.exists()
    assert study.prepare(source)[0] == 0


def test_strict_takes_what_was_asked_for(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source", (24, 16))
    assert study.prepare(source, "--strict", "--size", "8")[0] == 0


def test_only_train_is_refused_and_a_share_cuts_the_test_split(
    study: Command, tmp_path: Path
) -> None:
    names = [f"train/{i:02}.png" for i in range(20)]
    source = write(tmp_path / "source", dict(zip(names, photos(20), strict=True)))
    code, told = study.prepare(source)
    assert code == 2
    assert "only a train part" in told
    code, told = study.prepare(source, "--test-share", "0.2")
    assert code == 0
    assert "15 train, 1 validation, 4 test" in told


@pytest.mark.parametrize(
    ("option", "value"), [("--test-share", "1.5"), ("--test-share", "0"), ("--channels", "2")]
)
def test_an_option_out_of_its_bounds_is_one_sentence(
    option: str, value: str, study: Command, tmp_path: Path
) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), option, value)
    assert code == 2
    assert told.startswith(f"error: {option}: ")


def test_copies_between_splits_are_taken_only_by_word(study: Command, tmp_path: Path) -> None:
    source = split_photos(tmp_path / "source")
    (source / "test/0.png").write_bytes((source / "train/00.png").read_bytes())
    code, told = study.prepare(source)
    assert code == 2
    assert "share 1 of " in told
    assert "--allow-duplicates" in told
    assert find_prepared("mine", study.storage / "data") is None
    code, told = study.prepare(source, "--allow-duplicates")
    assert code == 0
    code, listed = study("data", "list")
    for text in (told, listed):
        assert "share 1 of " in text
        assert "pixel by pixel" in text


def write_shards(folder: Path) -> Path:
    """20 train and 8 test images of four fine and two coarse classes, four images a patient."""
    folder.mkdir()
    for split, first, num in (("train", 0, 20), ("test", 20, 8)):
        numbers = range(first, first + num)
        columns = {
            "image": [Pictures.png(number) for number in numbers],
            "fine_label": [number % 4 for number in numbers],
            "coarse_label": [number % 2 for number in numbers],
            "patient": [number // 4 for number in numbers],
        }
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    return folder


def test_classes_are_those_of_the_column_that_is_asked_for(study: Command, tmp_path: Path) -> None:
    source = write_shards(tmp_path / "source")
    code, told = study.prepare(source)
    assert code == 2
    assert "say which: --label fine_label or --label coarse_label" in told
    code, told = study.prepare(source, "--label", "coarse_label")
    assert code == 0
    assert "classes: the column coarse_label" in told
    prepared = find_prepared("mine", study.storage / "data")
    assert prepared is not None
    for images, labels in read_splits(prepared).values():
        known = {Pictures.png(number): number % 2 for number in range(28)}
        pictures = (Image.fromarray(image.transpose(1, 2, 0)) for image in images)
        assert [known[Pictures.encoded(picture)] for picture in pictures] == labels.tolist()


@pytest.mark.parametrize("kind", ["column", "pattern"])
def test_no_group_that_is_asked_for_is_parted(kind: str, study: Command, tmp_path: Path) -> None:
    if kind == "column":
        source = write_shards(tmp_path / "source")
        options = ["--label", "none", "--group", "patient"]
    else:
        names = [f"p{number // 4}_{number}.png" for number in range(28)]
        source = Pictures.write_tree(tmp_path / "source", *names)
        options = ["--group", r"^(p\d+)_", "--test-share", "0.2"]
    code, told = study.prepare(source, *options)
    assert code == 0
    assert "7, none parted by a cut" in told
    prepared = find_prepared("mine", study.storage / "data")
    assert prepared is not None
    patient = {Pictures.png(number): number // 4 for number in range(28)}
    split_of: dict[int, set[str]] = {}
    for split, (images, _) in read_splits(prepared).items():
        assert len(images)
        for image in images:
            data = Pictures.encoded(Image.fromarray(image.transpose(1, 2, 0)))
            split_of.setdefault(patient[data], set()).add(split)
    assert len(split_of) == 7
    assert all(len(splits) == 1 for splits in split_of.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--label", "nope"], "--label nope: .* no such column, it has image, fine_label"),
        (["--label", ""], "--label: string should have at least 1 character"),
        (["--label", "none", "--group", "nope"], "--group nope: .* no such column"),
    ],
)
def test_a_column_that_is_not_there_is_one_sentence(
    arguments: list[str], words: str, study: Command, tmp_path: Path
) -> None:
    code, told = study.prepare(write_shards(tmp_path / "source"), *arguments)
    assert code == 2
    assert re.match(f"error: {words}", told)
    assert not study.storage.exists()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("(", "is not a regular expression"), ("zzz", "finds nothing in 25 of 25 paths")],
)
def test_a_pattern_of_groups_that_cannot_be_used_is_one_sentence(
    pattern: str, words: str, study: Command, tmp_path: Path
) -> None:
    code, told = study.prepare(split_photos(tmp_path / "source"), "--group", pattern)
    assert code == 2
    assert told.startswith(f"error: --group {pattern!r} {words}")
    assert not study.storage.exists()


def test_a_known_set_is_not_resized_under_its_name(study: Command, tmp_path: Path) -> None:
    source = str(split_photos(tmp_path / "source"))
    code, told = study("data", "prepare", "cifar10", "--source", source, "--size", "16")
    assert code == 2
    assert "cifar10 is 32 pixels wide by its name" in told


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_are_no_text_and_poor_terminals_end_no_command(
    encoding: str, tmp_path: Path
) -> None:
    source = os.fsencode(split_photos(tmp_path / "source"))
    try:
        Path(os.fsdecode(source + b"/train/n\xe9.txt")).write_text("no image")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    command = [sys.executable, "-m", "study", "data", "prepare", "mine", "--source", source]
    done = subprocess.run(
        [*command, "--storage", str(tmp_path / "studies")],
        capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert r"n\udce9.txt" in done.stdout
