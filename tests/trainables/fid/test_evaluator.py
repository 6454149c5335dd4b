import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.trainables.fid_evaluator import CONFIG, RGB32, build, build_blank
from trainables.config import FIDConfig
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.error import InputError
from trainables.fid import LabelledImages, build_fid_evaluator


def test_real_images_are_nearer_to_each_other_than_to_noise(digits: ImageDataset) -> None:
    fid = build(digits, num_samples=200)
    real = fid.distance(torch.tensor(digits.train[:200]), "validation")
    noise = torch.randint(0, 17, (200, 1, 8, 8), dtype=torch.uint8)
    assert real < fid.distance(noise, "validation") / 5


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


def test_the_global_random_stream_is_left_alone(digits: ImageDataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    for _ in range(2):  # computed, then from the cache
        torch.manual_seed(0)
        build(digits, tmp_path, num_samples=200).distance(torch.tensor(digits.train[:200]), "test")
        assert torch.equal(torch.rand(3), expected)


def test_another_number_of_samples_than_the_protocol_says_is_refused(
    digits: ImageDataset,
) -> None:
    with pytest.raises(ValueError, match="needs 200 samples, got 100"):
        build(digits, num_samples=200).distance(torch.tensor(digits.train[:100]), "validation")


def test_a_split_that_is_no_reference_is_refused(digits: ImageDataset) -> None:
    with pytest.raises(InputError, match=r"'valid'; there are validation, test"):
        build(digits).distance(as_tensor(digits.test), "valid")


def test_no_more_samples_than_features_is_refused(digits: ImageDataset) -> None:
    with pytest.raises(InputError, match=r"32 features .*num_samples has 32: take at least 33"):
        build(digits, num_samples=32)
    with pytest.raises(InputError, match=r"the test split has 20: take at least 33"):
        build_blank(CONFIG, 20)
    with pytest.raises(InputError, match=r"2048 features .*use fid.features=classifier"):
        build_blank(FIDConfig(features="inception", num_samples=2048))


def test_images_without_labels_need_another_set_or_inception(
    digits: ImageDataset, tmp_path: Path
) -> None:
    unlabelled = replace(digits, train_labels=np.full(len(digits.train), -1))
    both = r"fid\.classifier_dataset=cifar10.* fid\.features=inception"
    with pytest.raises(InputError, match=both):
        build(unlabelled, tmp_path)
    assert list(tmp_path.iterdir()) == []
