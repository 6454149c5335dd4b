"""The features of a classifier that was trained on another set than that of the FID."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.trainables.pictures import Pictures
from trainables.config import TrialConfig
from trainables.data.dataset import as_tensor, found_format, load_dataset
from trainables.data.preparation import prepare_dataset
from trainables.error import InputError
from trainables.fid import FIDEvaluator
from trainables.resize import resized
from trainables.training.evaluator import evaluator_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prepared sets: `labelled` of 8 × 8 in two classes, `faces` of 16 × 16 in none."""
    folder = tmp_path_factory.mktemp("data")
    for name, size, has_labels in (("labelled", 8, True), ("faces", 16, False)):
        source = tmp_path_factory.mktemp(name)
        for split, num in (("train", 100), ("valid", 60), ("test", 60)):
            labels = np.arange(num) % 2
            columns: dict[str, object] = {"image": [tinted(size, label) for label in labels]}
            if has_labels:
                columns["label"] = labels
            pq.write_table(pa.table(columns), source / f"{split}.parquet")
        prepare_dataset(name, str(source / "*.parquet"), folder)
    return folder


DRAW = np.random.default_rng(0)


def tinted(size: int, label: int) -> bytes:
    pixels = DRAW.integers(0, 128, (size, size, 3), dtype=np.uint8)
    pixels[..., label] += 100
    return Pictures.encoded(Image.fromarray(pixels))


def trial(name: str, folder: Path, classifier: str | None) -> TrialConfig:
    fid = {"num_samples": 60, "classifier_epochs": 2, "classifier_dataset": classifier}
    data = {"dataset": name, "format": found_format(name, folder)}
    values = {
        "data": data, "latent_size": 2, "prior": {"kind": "gaussian"}, "fid": fid, "max_epochs": 1
    }  # fmt: skip
    return TrialConfig.model_validate(values)


def evaluator_of(name: str, folder: Path, classifier: str | None = "labelled") -> FIDEvaluator:
    config = trial(name, folder, classifier)
    return evaluator_for(config, load_dataset(config.data, folder), folder)


def test_images_without_labels_have_the_features_of_another_sets_classifier(folder: Path) -> None:
    faces = evaluator_of("faces", folder)
    images = as_tensor(load_dataset(trial("faces", folder, None).data, folder).test)
    assert faces.distance(images, "test") == pytest.approx(0, abs=1e-3)
    assert faces.distance(images // 2, "test") > 0.1


def test_the_classifier_of_another_set_is_trained_once_for_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = evaluator_of("labelled", folder, None).protocol("test")
    monkeypatch.setattr("trainables.fid.extractor.train_classifier", None)
    other = evaluator_of("faces", folder).protocol("test")
    assert one.weights_sha256 == other.weights_sha256
    assert len(list(folder.glob("classifier-*"))) == 1


def test_the_protocol_names_the_classifiers_set_and_how_images_reach_its_size(
    folder: Path,
) -> None:
    own = evaluator_of("labelled", folder, None).protocol("test")
    named = evaluator_of("labelled", folder).protocol("test")
    faces = evaluator_of("faces", folder).protocol("test")
    assert (own.features, own.resize) == ("classifier", "none")
    assert (named.features, named.resize) == ("classifier of labelled", "none")
    assert faces.features == "classifier of labelled"
    assert faces.resize == "8, bilinear with antialias, rounded to levels"
    assert faces.image_size == 16


def test_images_of_another_size_are_resized_before_their_features(folder: Path) -> None:
    labelled = evaluator_of("labelled", folder)._extractor
    images = as_tensor(load_dataset(trial("faces", folder, None).data, folder).test)
    expected = labelled.features(resized(images, 8))
    torch.testing.assert_close(evaluator_of("faces", folder)._extractor.features(images), expected)


def test_a_classifier_of_other_colours_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"classifier of digits takes images of 1 channel"):
        evaluator_of("faces", folder, "digits")


def test_a_classifiers_set_that_is_not_prepared_says_how_to(folder: Path) -> None:
    with pytest.raises(InputError, match="--source 'cifar10=PATH"):
        evaluator_of("faces", folder, "cifar10")


def test_without_a_classifiers_set_both_remedies_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"fid\.classifier_dataset=.*fid\.features=inception"):
        evaluator_of("faces", folder, None)
