import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces import StudySpec
from study.data.dataset import check_names, find_datasets, load_datasets, parse_sources, ready_fid
from trainables.config import ImageFormat
from trainables.data.preparation import prepare_dataset
from trainables.error import InputError
from trainables.training.evaluator import evaluator_for


def spec_of(*datasets: str, **fields: object) -> StudySpec:
    values = {
        "name": "study",
        "strata": {"dataset": datasets, "prior": ["gaussian"], "latent_size": [2]},
        "fid": {"num_samples": 60, "classifier_epochs": 1, "classifier_dataset": "labelled"},
        "budget": {"trials_per_stratum": 1, "max_epochs": 1},
        **fields,
    }
    return StudySpec.model_validate(values)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """Shards of `labelled`, 8 × 8 in two classes, and of `faces`, 16 × 16 in none."""
    draw = np.random.default_rng(0)
    for name, size in (("labelled", 8), ("faces", 16)):
        for split, num in (("train", 80), ("valid", 60), ("test", 60)):
            # Dark images and light ones, or a classifier could not tell them apart.
            labels = np.arange(num) % 2
            images = [png(draw, size, 64 + 128 * int(label)) for label in labels]
            columns: dict[str, object] = {"image": images}
            if name == "labelled":
                columns["label"] = labels
            pq.write_table(pa.table(columns), tmp_path / f"{name}_{split}.parquet")
    return {name: f"{tmp_path}/{name}_*.parquet" for name in ("labelled", "faces")}


def png(draw: np.random.Generator, size: int, middle: int) -> bytes:
    file = io.BytesIO()
    pixels = draw.integers(middle - 64, middle + 64, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tell_nobody(name: str, done: int, total: int) -> None: ...


def test_sources_of_splits_that_lie_apart_are_written_by_split() -> None:
    texts = ["faces=train=a", "faces=test=b/*.parquet", "mine=c=d"]
    assert parse_sources(texts) == {
        "faces": ("train=a", "test=b/*.parquet"), "mine": ("c=d",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["faces"], "a source is written NAME=PATH or NAME=GLOB, got 'faces'"),
        (["faces="], "a source is written NAME=PATH"),
        (["=a"], "a source is written NAME=PATH"),
        (["faces=a", "faces=b"], "the source of faces is given twice"),
        (["faces=train=a", "faces=b"], "written faces=train=PATH and faces=test=PATH"),
    ],
)
def test_a_source_that_is_written_otherwise_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_sources(texts)


def test_the_classifiers_set_may_have_a_source(sources: dict[str, str], tmp_path: Path) -> None:
    check_names(spec_of("faces"), sources, tmp_path / "data")


def test_the_classifiers_set_must_be_at_hand(sources: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no data set 'labelled'"):
        check_names(spec_of("faces"), {"faces": sources["faces"]}, tmp_path)
    spec = spec_of("faces", fid={"classifier_dataset": "cifar10"})
    with pytest.raises(InputError, match=r"cifar10 .*leave it out with fid\.classifier_dataset"):
        check_names(spec, {"faces": sources["faces"]}, tmp_path)


def test_with_inception_no_classifiers_set_is_needed(
    sources: dict[str, str], tmp_path: Path
) -> None:
    spec = spec_of(
        "faces",
        fid={"features": "inception", "classifier_dataset": "labelled", "num_samples": 2049},
    )
    check_names(spec, {"faces": sources["faces"]}, tmp_path)
    with pytest.raises(InputError, match="--source labelled: the study has no such data set"):
        check_names(spec, sources, tmp_path)


def test_a_set_without_labels_is_made_ready_by_the_classifier_of_another(
    sources: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    spec = spec_of("faces", "labelled")
    spec = spec.with_datasets(find_datasets(spec, sources, folder, tell_nobody))
    protocols = ready_fid(spec, load_datasets(spec, folder), folder)
    assert {values["features"] for values in protocols.values()} == {"classifier of labelled"}
    assert len({values["weights_sha256"] for values in protocols.values()}) == 1
    assert len(list(folder.glob("classifier-*"))) == 1


def test_the_facts_of_a_data_set_are_those_after_resizing(
    sources: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    spec = spec_of("faces", "digits", data={"resize": 32, "num_images": 100})
    facts = find_datasets(spec, sources, folder, tell_nobody)
    assert facts["faces"].format == ImageFormat(channels=3, size=32)
    assert facts["digits"].format == ImageFormat(channels=1, size=32, num_levels=17)
    loaded = load_datasets(spec.with_datasets(facts), folder)
    assert [images.train.shape[-1] for images in loaded.values()] == [32, 32]
    assert all(images.fingerprint == facts[name].fingerprint for name, images in loaded.items())


def test_a_prepared_set_needs_no_source(sources: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name, pattern in sources.items():
        prepare_dataset(name, pattern, folder)
    check_names(spec_of("faces"), {}, folder)
    facts = find_datasets(spec_of("faces"), {}, folder, tell_nobody)
    assert list(facts) == ["faces"]


def test_every_classifier_is_made_ready_before_trials_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fid = {"num_samples": 100, "classifier_epochs": 1, "num_classifiers": 3}
    spec, told = spec_of("digits", fid=fid), []
    datasets = load_datasets(spec, tmp_path)
    protocols = ready_fid(spec, datasets, tmp_path, told.append)
    assert [line[-6:] for line in told] == ["2 of 3", "3 of 3"]
    config = spec.trial_config(spec.cells()[0], {})
    monkeypatch.setattr("trainables.fid.extractor.train_classifier", None)
    evaluators = [evaluator_for(config, datasets["digits"], tmp_path, seed) for seed in range(3)]
    assert evaluators[0].protocol("test").as_dict() == protocols["digits"]
    assert len({evaluator.protocol("test").weights_sha256 for evaluator in evaluators}) == 3
