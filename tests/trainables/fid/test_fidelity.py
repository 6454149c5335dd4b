"""Every distance against torch-fidelity's own `calculate_metrics` on the same images.

Our statistics are in double precision. Its means have the precision of the features, which shows
where a Fréchet distance is small, so there its features are handed to it in double.
"""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from trainables.config import FIDConfig, ImageFormat
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.error import InputError
from trainables.fid import FIDEvaluator, LabelledImages, SampleScores, build_fid_evaluator
from trainables.fid.distance import feature_statistics, frechet_distance
from trainables.fid.extractor import ClassifierFeatures, Extractor, PixelFeatures
from trainables.fid.inception import InceptionFeatures

NAMES = {
    "fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean",
    "precision": "precision", "recall": "recall",
}  # fmt: skip
KEPT: dict[str, Extractor] = {}


class Images(Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, at: int) -> Tensor:
        return self.images[at]


class Kept(FeatureExtractorBase):
    """One of our extractors as torch-fidelity wants them."""

    dtype = torch.float32

    def __init__(self, name: str, features_list: list[str], **kwargs: Any) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("all",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "all"

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (KEPT[self.name].features(images).to(self.dtype),)


class KeptInDouble(Kept):
    dtype = torch.float64


def theirs(a: Tensor, b: Tensor, subset: int, **options: Any) -> dict[str, float]:
    with contextlib.redirect_stdout(None):
        metrics = torch_fidelity.calculate_metrics(
            input1=Images(a), input2=Images(b), cuda=False, fid=True, kid=True, prc=True,
            kid_subset_size=subset, cache=False, save_cpu_ram=True, verbose=False, **options,
        )  # fmt: skip
    return {name: metrics[key] for name, key in NAMES.items()}


def theirs_with(extractor: Extractor, a: Tensor, b: Tensor, subset: int) -> dict[str, float]:
    single, double = f"kept-{len(KEPT)}", f"kept-{len(KEPT) + 1}"
    KEPT[single] = KEPT[double] = extractor
    torch_fidelity.register_feature_extractor(single, Kept)
    torch_fidelity.register_feature_extractor(double, KeptInDouble)
    exact = theirs(a, b, subset, feature_extractor=double)
    return theirs(a, b, subset, feature_extractor=single) | {"fid": exact["fid"]}


def ours(
    extractor: Extractor, a: Tensor, b: Tensor, image: ImageFormat, cache: Path | None = None
) -> SampleScores:
    evaluator = FIDEvaluator(extractor, len(a), {"test": b.numpy()}, image, "0" * 64, cache)
    return evaluator.scores(a, "test")


def assert_equal(found: SampleScores, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6), name


def classifier_of(digits: ImageDataset) -> ClassifierFeatures:
    labelled = LabelledImages(digits.train, digits.train_labels, digits.format, digits.fingerprint)
    return ClassifierFeatures(FIDConfig(classifier_epochs=2), labelled, digits.format, None)


@pytest.mark.parametrize("features", ["pixels", "classifier"])
def test_every_distance_is_that_of_torch_fidelity(digits: ImageDataset, features: str) -> None:
    samples = as_tensor(digits.train)[:400] // 4 * 4
    extractor = PixelFeatures(digits.format) if features == "pixels" else classifier_of(digits)
    reference = as_tensor(digits.test)
    expected = theirs_with(extractor, samples, reference, 359)
    assert expected["fid"] > 0.01
    assert 0 < expected["recall"] <= 1
    assert_equal(ours(extractor, samples, reference, digits.format), expected)


def test_a_kernel_distance_takes_a_thousand_images_a_subset_where_there_are_more() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randint(256, (2, 1200, 1, 4, 4), dtype=torch.uint8, generator=generator)
    image = ImageFormat(channels=1, size=4)
    extractor = PixelFeatures(image)
    assert_equal(ours(extractor, a, b, image), theirs_with(extractor, a, b, 1000))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the right format: random, and scaled so that features do not fade to zero."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        torch.save({}, folder / "none.pth")
        torch.manual_seed(0)
        state = FeatureExtractorInceptionV3(
            "x", ["2048"], feature_extractor_weights_path=str(folder / "none.pth")
        ).state_dict()
    assert len(state) == 566
    scaled = {n: v * 6**0.5 if n.endswith("conv.weight") else v for n, v in state.items()}
    torch.save(scaled, folder / "weights.pth")
    return folder / "weights.pth"


def test_every_inception_distance_is_that_of_torch_fidelity(weights: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randint(256, (2, 8, 3, 16, 16), dtype=torch.uint8, generator=generator)
    image = ImageFormat(channels=3, size=16)
    extractor = InceptionFeatures(FIDConfig(features="inception", weights=str(weights)), image)
    assert extractor.features(a).std(0).mean() > 1e-3
    expected = theirs(
        a // 2, b, 8, feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    assert_equal(ours(extractor, a // 2, b, image), expected)


@pytest.mark.parametrize(("num_a", "num_b"), [(500, 500), (40, 300), (30, 20)])
def test_covariances_without_full_rank_have_the_distance_of_their_eigenvalues(
    num_a: int, num_b: int
) -> None:
    generator = torch.Generator().manual_seed(num_a)
    mixing = torch.randn(100, 100, generator=generator, dtype=torch.float64)
    a = torch.randn(num_a, 100, generator=generator, dtype=torch.float64) @ mixing
    b = torch.randn(num_b, 100, generator=generator, dtype=torch.float64) @ mixing * 1.1 + 1
    one, two = feature_statistics(a), feature_statistics(b)
    # tr (Σ_a Σ_b)^½ = tr (Σ_a^½ Σ_b Σ_a^½)^½, where all matrices are symmetric
    values, vectors = torch.linalg.eigh(one.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    trace = torch.linalg.eigvalsh(root @ two.covariance @ root).clamp(min=0).sqrt().sum()
    expected = (one.mean - two.mean).square().sum() - 2 * trace
    expected += one.covariance.trace() + two.covariance.trace()
    assert frechet_distance(one, two) == pytest.approx(float(expected), rel=1e-6)


def test_equal_images_have_no_distance_and_cover_each_other(digits: ImageDataset) -> None:
    images = as_tensor(digits.test)
    scores = ours(PixelFeatures(digits.format), images, images, digits.format)
    assert scores.fid == pytest.approx(0, abs=1e-5)
    assert scores.kid < 1e-3
    assert (scores.precision, scores.recall) == (1, 1)


def pixels(digits: ImageDataset, cache: Path, **changes: Any) -> FIDEvaluator:
    values: dict[str, Any] = {"num_samples": 300, "fingerprint": digits.fingerprint} | changes
    return build_fid_evaluator(
        FIDConfig(features="pixels", num_samples=values["num_samples"]),
        labelled=None, references={"test": changes.get("test", digits.test)},
        format=digits.format, fingerprint=values["fingerprint"], cache=cache,
    )  # fmt: skip


@pytest.mark.parametrize("change", ["num_samples", "fingerprint"])
def test_the_cache_refuses_another_protocol(
    digits: ImageDataset, tmp_path: Path, change: str
) -> None:
    samples = as_tensor(digits.train)[:300]
    first = pixels(digits, tmp_path).scores(samples, "test")
    files = set(tmp_path.iterdir())
    assert sorted(p.name.partition("-")[0] for p in files) == ["features", "statistics"]
    other = {"num_samples": 299} if change == "num_samples" else {"fingerprint": "1" * 64}
    changed = pixels(digits, tmp_path, test=digits.test // 2, **other)
    second = changed.scores(samples[: other.get("num_samples", 300)], "test")
    assert second.fid > first.fid + 0.1
    assert second.kid > first.kid
    assert len(set(tmp_path.iterdir()) - files) == 2


def test_the_cache_refuses_another_file_of_weights(tmp_path: Path, weights: Path) -> None:
    image = ImageFormat(channels=3, size=16)
    one, two = tmp_path / "one.pth", tmp_path / "two.pth"
    state = torch.load(weights, weights_only=True)
    torch.save(state, one)
    torch.save(state | {"fc.bias": state["fc.bias"] + 1}, two)
    evaluators = [
        FIDEvaluator(
            InceptionFeatures(FIDConfig(features="inception", weights=str(path)), image),
            2, {"test": np.zeros((2, 3, 16, 16), np.uint8)}, image, "0" * 64, tmp_path,
        )
        for path in (one, two)
    ]  # fmt: skip
    hashes = {evaluator.protocol("test").hash for evaluator in evaluators}
    assert len(hashes) == 2


def test_pixels_need_more_images_than_values(digits: ImageDataset) -> None:
    with pytest.raises(InputError, match=r"64 features .*fid\.num_samples has 64"):
        build_fid_evaluator(
            FIDConfig(features="pixels", num_samples=64), labelled=None,
            references={"test": digits.test}, format=digits.format, fingerprint="x",
        )  # fmt: skip


def test_reconstructions_are_as_many_as_their_split(digits: ImageDataset, tmp_path: Path) -> None:
    evaluator = pixels(digits, tmp_path)
    images = as_tensor(digits.test)
    assert evaluator.distance_of_reconstructions(images, "test") == pytest.approx(0, abs=1e-5)
    with pytest.raises(InputError, match="needs 359 samples, got 300"):
        evaluator.distance_of_reconstructions(images[:300], "test")


def test_the_protocol_names_the_subsets_and_the_neighbourhood(
    digits: ImageDataset, tmp_path: Path
) -> None:
    values = pixels(digits, tmp_path).protocol("test").as_dict()
    assert (values["features"], values["weights_sha256"]) == ("pixels", "none")
    assert (values["kid_subset_size"], values["kid_num_subsets"]) == (300, 100)
    assert (values["neighbourhood"], values["precision"]) == (3, "float32")
    assert values["quantisation"] == "nearest level, uint8"
