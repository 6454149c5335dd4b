"""`study data prepare` and `study data list`, as they are typed."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.cli import main
from study.data.dataset import find_datasets
from trainables.config import DataConfig, ImageFormat
from trainables.data.dataset import load_dataset
from trainables.data.prepared_file import find_prepared


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Twelve pictures of CelebA's size in two classes, with split folders."""
    draw = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for number in range(4):
            path = tmp_path / "faces" / split / str(number % 2) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 256, (218, 178, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return tmp_path / "faces"


def study(monkeypatch: pytest.MonkeyPatch, storage: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["study", *arguments, "--storage", str(storage)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_set_is_prepared_told_and_listed(
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("data", "prepare", "celeba", "--source", str(faces))
    assert study(monkeypatch, tmp_path, *arguments) == 0
    out = capsys.readouterr().out
    prepared = find_prepared("celeba", tmp_path / "data")
    assert prepared is not None
    assert "4 train, 4 validation, 4 test images of 3×64×64" in out
    assert " s; fingerprint " + prepared.fingerprint in out
    assert study(monkeypatch, tmp_path, "data", "list") == 0
    header, _, row, *facts = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "name"
    fingerprint = prepared.fingerprint[:12]
    assert row.split() == ["celeba", "4", "4", "4", "64×64", "3", "2", fingerprint]
    told = " ".join(" ".join(facts).split())
    assert "splits: the folders test, train, valid" in told
    assert "12 images cut to the centre square" in told


def test_a_damaged_set_hides_no_other(
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study(
        monkeypatch, tmp_path, "data", "prepare", "mine", "--source", str(faces), "--crop", "148"
    )
    (tmp_path / "data" / "torn-0123456789ab.arrow").write_bytes(b"torn")
    assert study(monkeypatch, tmp_path, "data", "list") == 0
    out = capsys.readouterr().out
    assert "mine" in out
    assert "torn-0123456789ab.arrow is damaged" in out


def test_crops_are_different_sets_and_never_taken_for_each_other(
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare = ("data", "prepare", "celeba")
    assert study(monkeypatch, tmp_path, *prepare, "--source", str(faces), "--crop", "140") == 0
    assert study(monkeypatch, tmp_path, *prepare) == 0
    assert study(monkeypatch, tmp_path, *prepare, "--crop", "140") == 0
    for more in ((), ("--source", str(faces))):
        assert study(monkeypatch, tmp_path, *prepare, "--crop", "148", *more) == 2
        assert "celeba is prepared already with" in capsys.readouterr().err
    fingerprints = set()
    for crop in ("reference", "148", "140"):
        storage = tmp_path / crop
        assert study(monkeypatch, storage, *prepare, "--source", str(faces), "--crop", crop) == 0
        found = find_prepared("celeba", storage / "data")
        assert found is not None
        fingerprints.add(found.fingerprint)
    assert len(fingerprints) == 3


def test_an_empty_storage_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study(monkeypatch, tmp_path, "data", "list") == 0
    assert "no data set is prepared" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_study_takes_a_folder_and_a_zip_as_sources(faces: Path, tmp_path: Path) -> None:
    from search_spaces import load_space

    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(faces.rglob("*.png")):
            archive.write(file, file.relative_to(faces))
    spec = load_space("digits", ["strata.dataset=celeba"])
    facts = [
        find_datasets(spec, {"celeba": str(source)}, tmp_path / folder, lambda *told: None)
        for source, folder in ((faces, "plain"), (path, "zipped"))
    ]
    assert facts[0] == facts[1]
    config = DataConfig(dataset="celeba", format=ImageFormat(channels=3, size=64))
    assert len(load_dataset(config, tmp_path / "zipped").test) == 4
