from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainables.fid_evaluator import build
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.error import InputError
from trainables.fid.classifier import RECIPE, save_classifier, train_classifier
from trainables.protocol import values_hash


def test_a_second_evaluator_gives_the_same_numbers_from_the_cache(
    digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / "cache"
    samples = as_tensor(digits.test)
    first = build(digits, folder).distance(samples, "validation")
    assert first == build(digits).distance(samples, "validation")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(name.partition("-")[0] for name in files) == ["classifier", "statistics"]
    monkeypatch.setattr("trainables.fid.extractor.train_classifier", None)
    assert build(digits, folder).distance(samples, "validation") == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_statistics_of_a_split_are_computed_only_when_it_is_asked_for(
    digits: ImageDataset, tmp_path: Path
) -> None:
    evaluator = build(digits, tmp_path)
    assert list(tmp_path.glob("statistics-*")) == []
    evaluator.distance(as_tensor(digits.test), "validation")
    assert len(list(tmp_path.glob("statistics-*"))) == 1


def test_another_data_set_of_the_same_name_is_not_taken_from_the_cache(
    digits: ImageDataset, tmp_path: Path
) -> None:
    samples = as_tensor(digits.test)
    before = build(digits, tmp_path).distance(samples, "validation")
    changed = replace(digits, validation=digits.validation // 2, fingerprint="1" * 64)
    after = build(changed, tmp_path).distance(samples, "validation")
    assert after > before + 1
    assert build(changed).distance(samples, "validation") == after


def test_another_data_set_or_number_of_samples_shares_nothing_in_the_cache(
    digits: ImageDataset, tmp_path: Path
) -> None:
    hashes = {
        build(digits, tmp_path).protocol("validation").hash,
        build(digits, tmp_path).protocol("test").hash,
        build(digits, tmp_path, num_samples=300).protocol("validation").hash,
        build(replace(digits, fingerprint="other"), tmp_path).protocol("validation").hash,
    }
    assert len(hashes) == 4


def test_a_damaged_cache_is_named(digits: ImageDataset, tmp_path: Path) -> None:
    build(digits, tmp_path).reference_statistics("test")
    path = next(tmp_path.glob("statistics-*"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"is damaged; remove it"):
        build(digits, tmp_path).reference_statistics("test")


def test_classifiers_of_several_seeds_lie_beside_that_of_the_protocol(
    digits: ImageDataset, tmp_path: Path
) -> None:
    """Whose file has the name and the bytes that it had when there was no other."""
    build(digits, tmp_path)
    made_of = {"data": digits.fingerprint, "epochs": 2, "recipe": RECIPE}
    first = tmp_path / f"classifier-{values_hash(made_of)[:16]}.safetensors"
    images, labels = as_tensor(digits.train), as_tensor(digits.train_labels)
    save_classifier(train_classifier(images, labels, digits.format, 2), tmp_path / "expected")
    assert first.read_bytes() == (tmp_path / "expected").read_bytes()
    evaluators = [build(digits, tmp_path, classifier_seed=seed) for seed in (0, 1, 2)]
    assert len({e.protocol("test").weights_sha256 for e in evaluators}) == 3
    assert len(list(tmp_path.glob("classifier-*"))) == 3
    samples = as_tensor(digits.validation)
    assert len({evaluator.distance(samples, "test") for evaluator in evaluators}) == 3


def test_the_classifier_of_a_seed_is_trained_once(
    digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(digits, tmp_path, classifier_seed=3).protocol("test")
    monkeypatch.setattr("trainables.fid.extractor.train_classifier", None)
    assert build(digits, tmp_path, classifier_seed=3).protocol("test") == before
