import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.linalg
import torch
from PIL import Image
from torch import Tensor

from trainables.classifier import train_classifier
from trainables.config import DataConfig, FIDConfig, ImageFormat, TrialConfig
from trainables.data import ImageDataset, as_tensor, found_format, load_dataset
from trainables.error import InputError
from trainables.evaluator import evaluator_for
from trainables.fid import (
    FeatureStatistics,
    FIDEvaluator,
    LabelledImages,
    build_fid_evaluator,
    feature_statistics,
    frechet_distance,
    inception_weights,
)
from trainables.preparation import prepare_dataset
from trainables.resize import resized


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits"}))


def own_images(dataset: ImageDataset, fingerprint: str = "") -> LabelledImages:
    return LabelledImages(
        dataset.train,
        dataset.train_labels,
        dataset.format,
        fingerprint or dataset.fingerprint,
    )


def evaluator(
    dataset: ImageDataset, cache: Path | None, num_samples: int = 200, fingerprint: str = ""
) -> FIDEvaluator:
    return build_fid_evaluator(
        FIDConfig(num_samples=num_samples, classifier_epochs=2),
        labelled=own_images(dataset, fingerprint),
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
        labelled=LabelledImages(pixels, np.zeros(3000, np.int64), image, "x"),
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


CONFIG = FIDConfig(num_samples=359, classifier_epochs=2)


RGB32 = ImageFormat(channels=3, size=32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STUDY_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def build(
    data: ImageDataset,
    cache: Path | None = None,
    config: FIDConfig = CONFIG,
    labelled: LabelledImages | None = None,
) -> FIDEvaluator:
    return build_fid_evaluator(
        config,
        labelled=labelled or own_images(data),
        references={"validation": data.validation, "test": data.test},
        format=data.format,
        fingerprint=data.fingerprint,
        cache=cache,
    )


def build_blank(config: FIDConfig, num: int = 2100, format: ImageFormat = RGB32) -> FIDEvaluator:
    images = np.zeros((num, format.channels, format.size, format.size), np.uint8)
    return build_fid_evaluator(
        config,
        labelled=LabelledImages(images, np.full(num, -1, np.int64), format, "0" * 64),
        references={"test": images},
        format=format,
        fingerprint="0" * 64,
    )


def drawn(seed: int, size: int = 6, shift: float = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(500, size, generator=generator, dtype=torch.float64) @ mixing + shift


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_that_of_two_gaussians(seed: int) -> None:
    a, b = feature_statistics(drawn(seed)), feature_statistics(drawn(seed + 50, shift=0.5))
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy()).real
    traces = a.covariance.trace() + b.covariance.trace() - 2 * np.trace(root)
    expected = float((a.mean - b.mean).square().sum() + traces)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_diagonal_gaussians_have_the_distance_of_their_means_and_deviations() -> None:
    means = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0]], dtype=torch.float64)
    deviations = torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 0.5]], dtype=torch.float64)
    a, b = (
        FeatureStatistics(m, torch.diag(s.square()), 10)
        for m, s in zip(means, deviations, strict=True)
    )
    expected = (means[0] - means[1]).square().sum() + (
        deviations[0] - deviations[1]
    ).square().sum()
    assert frechet_distance(a, b) == pytest.approx(float(expected))


def test_equal_statistics_have_distance_zero_also_where_a_feature_is_constant() -> None:
    features = drawn(0)
    features[:, 0] = 1
    statistics = feature_statistics(features)
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-5)


def test_statistics_are_those_of_numpy_in_double_precision() -> None:
    features = drawn(3).float()
    statistics = feature_statistics(features)
    exact = features.double().numpy()
    np.testing.assert_allclose(statistics.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, np.cov(exact, rowvar=False), rtol=1e-9)
    assert statistics.num_samples == 500


def test_a_second_evaluator_gives_the_same_numbers_from_the_cache(
    dataset: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / "cache"
    samples = as_tensor(dataset.test)
    first = build(dataset, folder).distance(samples, "validation")
    assert first == build(dataset).distance(samples, "validation")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(name.partition("-")[0] for name in files) == ["classifier", "statistics"]
    monkeypatch.setattr("trainables.fid.extractor.train_classifier", None)
    assert build(dataset, folder).distance(samples, "validation") == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_statistics_of_a_split_are_computed_only_when_it_is_asked_for(
    dataset: ImageDataset, tmp_path: Path
) -> None:
    evaluator = build(dataset, tmp_path)
    assert list(tmp_path.glob("statistics-*")) == []
    evaluator.distance(as_tensor(dataset.test), "validation")
    assert len(list(tmp_path.glob("statistics-*"))) == 1


def test_another_data_set_of_the_same_name_is_not_taken_from_the_cache(
    dataset: ImageDataset, cache: Path
) -> None:
    samples = as_tensor(dataset.test)
    before = build(dataset, cache).distance(samples, "validation")
    changed = replace(dataset, validation=dataset.validation // 2, fingerprint="1" * 64)
    after = build(changed, cache).distance(samples, "validation")
    assert after > before + 1
    assert build(changed).distance(samples, "validation") == after


def test_every_part_of_the_protocol_is_in_its_hash(dataset: ImageDataset, cache: Path) -> None:
    protocol = build(dataset, cache).protocol("validation")
    for name, value in protocol.as_dict().items():
        other = value + 1 if isinstance(value, int) else f"{value}x"
        assert replace(protocol, **{name: other}).hash != protocol.hash, name
    assert replace(protocol).hash == protocol.hash


def test_the_protocol_says_what_a_number_depends_on(dataset: ImageDataset, cache: Path) -> None:
    values = build(dataset, cache).protocol("test").as_dict()
    assert values["features"] == "classifier"
    assert values["num_samples"] == 359
    assert (values["reference"], values["num_reference_images"]) == ("test", 359)
    assert (values["image_size"], values["num_levels"]) == (8, 17)
    assert values["reference_fingerprint"] == dataset.fingerprint
    assert len(values["weights_sha256"]) == 64


def test_another_classifier_is_another_protocol(dataset: ImageDataset, cache: Path) -> None:
    longer = CONFIG.model_copy(update={"classifier_epochs": 1})
    one = build(dataset, cache).protocol("test")
    other = build(dataset, cache, longer).protocol("test")
    assert one.weights_sha256 != other.weights_sha256


def test_a_split_that_is_no_reference_is_refused(dataset: ImageDataset, cache: Path) -> None:
    with pytest.raises(InputError, match=r"'valid'; there are validation, test"):
        build(dataset, cache).distance(as_tensor(dataset.test), "valid")


def test_no_more_samples_than_features_is_refused(dataset: ImageDataset) -> None:
    with pytest.raises(InputError, match=r"32 features .*num_samples has 32: take at least 33"):
        build(dataset, config=CONFIG.model_copy(update={"num_samples": 32}))
    with pytest.raises(InputError, match=r"the test split has 20: take at least 33"):
        build_blank(CONFIG, 20)
    with pytest.raises(InputError, match=r"2048 features .*use fid.features=classifier"):
        build_blank(FIDConfig(features="inception", num_samples=2048))


def test_a_damaged_cache_is_named(dataset: ImageDataset, tmp_path: Path) -> None:
    build(dataset, tmp_path).reference_statistics("test")
    path = next(tmp_path.glob("statistics-*"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"is damaged; remove it"):
        build(dataset, tmp_path).reference_statistics("test")


def test_images_without_labels_need_another_set_or_inception(
    dataset: ImageDataset, tmp_path: Path
) -> None:
    unlabelled = replace(dataset, train_labels=np.full(len(dataset.train), -1))
    both = r"fid\.classifier_dataset=cifar10.* fid\.features=inception"
    with pytest.raises(InputError, match=both):
        build(unlabelled, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["option", "variable", "hub"])
def test_missing_weights_are_named_with_both_ways_out(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent.pth"
    if way == "variable":
        monkeypatch.setenv("STUDY_INCEPTION_WEIGHTS", str(absent))
    weights = str(absent) if way == "option" else None
    with pytest.raises(InputError) as caught:
        build_blank(FIDConfig(features="inception", num_samples=2100, weights=weights))
    looked_for = "weights-inception-2015-12-05-6726825d.pth" if way == "hub" else str(absent)
    for fact in (looked_for, "fid.weights=PATH", "fid.features=classifier"):
        assert fact in str(caught.value)


def test_the_option_goes_before_the_variable_and_the_variable_before_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    hub.parent.mkdir(parents=True)
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (hub, one, two):
        path.touch()
    assert inception_weights(None) == hub
    monkeypatch.setenv("STUDY_INCEPTION_WEIGHTS", str(one))
    assert inception_weights(None) == one
    assert inception_weights(str(two)) == two


def fake_download(content: bytes | OSError) -> Callable[..., None]:
    """torch's own, as far as it goes without a network: what comes is hashed, then kept."""

    def download(url: str, path: str, hash_prefix: str) -> None:
        if isinstance(content, OSError):
            raise content
        digest = hashlib.sha256(content).hexdigest()
        if not digest.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest}")')
        Path(path).write_bytes(content)

    return download


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(OSError("no route to host"), "no route to host"), (b"another file", "invalid hash value")],
)
def test_a_download_that_fails_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, complaint: str
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fake_download(content))
    with pytest.raises(InputError, match=complaint):
        inception_weights("download")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_weights_that_were_fetched_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fake_download(OSError("asked again")))
    there = tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    there.parent.mkdir()
    there.touch()
    assert inception_weights("download") == there


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (exit, (7,))


@pytest.mark.parametrize("content", ["text", "other tensors", "code"])
def test_a_file_of_something_else_is_no_inception(content: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    match content:
        case "text":
            path.write_text("not found")
        case "other tensors":
            torch.save({"weight": torch.zeros(3)}, path)
        case "code":
            torch.save(Evil(), path)
    with pytest.raises(InputError, match="is no file of Inception weights") as caught:
        build_blank(FIDConfig(features="inception", num_samples=2100, weights=str(path)))
    assert "\n" not in str(caught.value)


def test_inception_features_are_those_of_torch_fidelity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with monkeypatch.context() as patch:  # the library builds no network without weights
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        torch.save({}, tmp_path / "none.pth")
        network = FeatureExtractorInceptionV3(
            "x", ["2048"], feature_extractor_weights_path=str(tmp_path / "none.pth")
        )
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    evaluator = build_blank(
        FIDConfig(features="inception", num_samples=2100, weights=str(tmp_path / "weights.pth"))
    )
    images = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    features = evaluator._extractor.features(images)
    torch.testing.assert_close(features, network(images)[0])
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4), expected)
    assert "TensorFlow" in evaluator.protocol("test").resize


def test_real_cifar10_is_nearer_to_itself_than_to_noise(real_data: Path, tmp_path: Path) -> None:
    rows = next(pq.ParquetFile(real_data / "cifar10_test.parquet").iter_batches(1500)).to_pylist()
    pictures = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    images = np.stack(pictures).transpose(0, 3, 1, 2)
    evaluator = build_fid_evaluator(
        FIDConfig(num_samples=500, classifier_epochs=2),
        labelled=LabelledImages(
            images[:500], np.array([row["label"] for row in rows[:500]]), RGB32, "0" * 64
        ),
        references={"test": images[500:1000]},
        format=RGB32,
        fingerprint="0" * 64,
        cache=tmp_path,
    )
    noise = torch.randint(256, (500, 3, 32, 32), dtype=torch.uint8)
    real = evaluator.distance(torch.from_numpy(images[1000:].copy()), "test")
    assert real < evaluator.distance(noise, "test") / 5


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
    file = io.BytesIO()
    pixels = DRAW.integers(0, 128, (size, size, 3), dtype=np.uint8)
    pixels[..., label] += 100
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


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
