from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

from trainables.classifier import train_classifier
from trainables.config import DataConfig, FIDConfig, ImageFormat
from trainables.data import ImageDataset, load_dataset
from trainables.error import InputError
from trainables.fid import (
    FeatureStatistics,
    FIDEvaluator,
    build_fid_evaluator,
    feature_statistics,
    frechet_distance,
)


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits"}))


def evaluator(
    dataset: ImageDataset, cache: Path | None, num_samples: int = 200, fingerprint: str = ""
) -> FIDEvaluator:
    return build_fid_evaluator(
        FIDConfig(num_samples=num_samples, classifier_epochs=2),
        train=dataset.train,
        train_labels=dataset.train_labels,
        references={"validation": dataset.validation, "test": dataset.test},
        format=dataset.format,
        fingerprint=fingerprint or dataset.fingerprint,
        cache=cache,
    )


def statistics(seed: int, size: int = 8) -> FeatureStatistics:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    features = torch.randn(500, size, generator=generator, dtype=torch.float64) @ mixing
    return feature_statistics(features + seed)


def test_the_distance_equals_the_formula_of_heusel() -> None:
    a, b = statistics(1), statistics(2)
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy()).real
    expected = (
        (a.mean - b.mean).square().sum().item()
        + (a.covariance.trace() + b.covariance.trace()).item()
        - 2 * np.trace(root)
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_the_distance_of_equal_statistics_is_zero_and_grows_with_a_shift() -> None:
    a = statistics(1)
    shifted = [FeatureStatistics(a.mean + s, a.covariance, a.num_samples) for s in (0, 1, 2)]
    distances = [frechet_distance(a, b) for b in shifted]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] == pytest.approx(8, rel=1e-6)
    assert distances[2] == pytest.approx(32, rel=1e-6)


def test_the_distance_is_symmetric() -> None:
    a, b = statistics(1), statistics(2)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_real_images_are_nearer_to_each_other_than_to_noise(dataset: ImageDataset) -> None:
    fid = evaluator(dataset, None)
    real = fid.distance(torch.tensor(dataset.train[:200]), "validation")
    noise = torch.randint(0, 17, (200, 1, 8, 8), dtype=torch.uint8)
    assert real < fid.distance(noise, "validation") / 5


def test_the_classifier_recognises_images_that_it_has_not_seen(dataset: ImageDataset) -> None:
    images, labels = torch.tensor(dataset.train), torch.tensor(dataset.train_labels)
    classifier = train_classifier(images, labels, dataset.format, 10)
    guesses = classifier(torch.tensor(dataset.validation)).argmax(1)
    assert (guesses == torch.tensor(dataset.validation_labels)).float().mean() > 0.95


def test_the_global_random_stream_is_left_alone(dataset: ImageDataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    for _ in range(2):  # computed, then from the cache
        torch.manual_seed(0)
        evaluator(dataset, tmp_path).distance(torch.tensor(dataset.train[:200]), "test")
        assert torch.equal(torch.rand(3), expected)


def test_the_cache_gives_the_same_value_to_the_bit(dataset: ImageDataset, tmp_path: Path) -> None:
    samples = torch.tensor(dataset.train[:200])
    first = evaluator(dataset, tmp_path).distance(samples, "validation")
    files = sorted(tmp_path.iterdir())
    second = evaluator(dataset, tmp_path).distance(samples, "validation")
    assert first == second == evaluator(dataset, None).distance(samples, "validation")
    assert sorted(tmp_path.iterdir()) == files


def test_another_data_set_or_number_of_samples_shares_nothing_in_the_cache(
    dataset: ImageDataset, tmp_path: Path
) -> None:
    hashes = {
        evaluator(dataset, tmp_path).protocol("validation").hash,
        evaluator(dataset, tmp_path).protocol("test").hash,
        evaluator(dataset, tmp_path, num_samples=300).protocol("validation").hash,
        evaluator(dataset, tmp_path, fingerprint="other").protocol("validation").hash,
    }
    assert len(hashes) == 4


def test_another_number_of_samples_than_the_protocol_says_is_refused(
    dataset: ImageDataset,
) -> None:
    with pytest.raises(ValueError, match="needs 200 samples, got 100"):
        evaluator(dataset, None).distance(torch.tensor(dataset.train[:100]), "validation")


def test_fewer_images_than_features_are_refused_with_the_remedy(dataset: ImageDataset) -> None:
    with pytest.raises(InputError, match=r"fid\.num_samples has 20"):
        evaluator(dataset, None, num_samples=20)


def test_unlabelled_images_have_no_classifier(dataset: ImageDataset) -> None:
    labels = torch.full((len(dataset.train),), -1)
    with pytest.raises(InputError, match=r"fid\.features=inception"):
        train_classifier(torch.tensor(dataset.train), labels, dataset.format, 1)


def inception(weights: str | None, channels: int = 3) -> FIDEvaluator:
    image = ImageFormat(channels=channels, size=32)
    pixels = np.zeros((3000, channels, 32, 32), np.uint8)
    return build_fid_evaluator(
        FIDConfig(features="inception", num_samples=3000, weights=weights),
        train=pixels,
        train_labels=np.zeros(3000, np.int64),
        references={"test": pixels},
        format=image,
        fingerprint="x",
    )


def test_missing_inception_weights_name_file_option_and_alternative(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STUDY_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError) as raised:
        inception(None)
    for word in ("weights-inception-2015-12-05", "fid.weights=PATH", "fid.features=classifier"):
        assert word in str(raised.value)


def test_an_option_that_names_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Inception weights at"):
        inception(str(tmp_path / "nothing.pth"))


def test_a_file_that_is_no_weights_never_reaches_pickle(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80\x02cposix\nsystem\n.")
    with pytest.raises(InputError, match="no file of Inception weights"):
        inception(str(path))


def test_inception_takes_rgb_only() -> None:
    with pytest.raises(InputError, match="RGB"):
        inception(None, channels=1)
