"""The report's caption says what splits have in common, of the very set that was studied."""

import html
from pathlib import Path
from typing import Any

import pytest

from search_spaces import DatasetFacts, StudySpec
from study.data.dataset import find_datasets
from study.data.duplicates import overlap_texts
from study.report.caption import caption_facts
from study.report.report import write_report
from study.run.outcome import report_facts
from study.storage.environment import current_environment
from study.tables.table import build_table
from tests.trainables.pictures import Pictures
from trainables.config import PreparationConfig
from trainables.data.preparation import prepare_dataset


def spec_of(dataset: str, folder: Path, **fields: Any) -> StudySpec:
    values = {
        "name": "study",
        "strata": {"dataset": [dataset], "prior": ["gaussian"], "latent_size": [2]},
        "fid": {"features": "pixels", "num_samples": 4000},
        "budget": {"trials_per_stratum": 1, "max_epochs": 1},
        **fields,
    }
    spec = StudySpec.model_validate(values)
    return spec.with_datasets(find_datasets(spec, {}, folder, lambda name, done, total: None))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A prepared set of 60 train and 20 test images, three of which are train images."""
    tree = Pictures.write_tree(
        tmp_path / "tree",
        *(f"train/{n:02}.png" for n in range(60)),
        *(f"test/{n:02}.png" for n in range(20)),
    )
    for number in range(3):
        copy = (tree / f"train/{number:02}.png").read_bytes()
        (tree / f"test/{number:02}.png").write_bytes(copy)
    folder = tmp_path / "data"
    prepare_dataset("faces", str(tree), folder, config=PreparationConfig(allow_duplicates=True))
    return folder


def test_the_digits_have_no_image_in_two_splits(tmp_path: Path) -> None:
    text = overlap_texts(spec_of("digits", tmp_path), tmp_path)["digits"]
    assert text == "no image is in two splits"


def test_copies_of_train_images_are_told_in_the_caption(faces: Path) -> None:
    spec = spec_of("faces", faces)
    texts = overlap_texts(spec, faces)
    found = [number for number in (2, 3) if f"share {number} of 20 images" in texts["faces"]]
    assert found, texts
    facts = dict(caption_facts(spec, build_table(spec, []), "", {}, texts))
    assert facts["splits of faces"] == texts["faces"]


def test_copies_of_train_images_are_told_on_the_page(faces: Path, tmp_path: Path) -> None:
    spec = spec_of("faces", faces)
    facts = report_facts(current_environment(1, "cpu"), spec, faces)
    page = write_report(tmp_path / "study", spec, [], facts).read_text(encoding="utf-8")
    assert "splits of faces" in page
    assert html.escape(overlap_texts(spec, faces)["faces"]) in page


@pytest.mark.parametrize("data", [{"resize": 32}, {"num_images": 60}])
def test_it_is_told_of_a_part_and_of_another_size_too(faces: Path, data: dict[str, Any]) -> None:
    spec = spec_of("faces", faces, data=data)
    assert "pixel by pixel" in overlap_texts(spec, faces)["faces"]


def test_nothing_is_said_of_a_set_that_is_gone_or_another(faces: Path, tmp_path: Path) -> None:
    spec = spec_of("faces", faces)
    assert overlap_texts(spec, tmp_path / "elsewhere") == {}
    facts = spec.datasets["faces"]
    other = DatasetFacts(format=facts.format, fingerprint="0" * 64)
    assert overlap_texts(spec.with_datasets({"faces": other}), faces) == {}
