from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainables.fid_evaluator import build
from trainables.data.dataset import ImageDataset


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_every_part_of_the_protocol_is_in_its_hash(digits: ImageDataset, cache: Path) -> None:
    protocol = build(digits, cache).protocol("validation")
    for name, value in protocol.as_dict().items():
        other = value + 1 if isinstance(value, int) else f"{value}x"
        assert replace(protocol, **{name: other}).hash != protocol.hash, name
    assert replace(protocol).hash == protocol.hash


def test_the_protocol_says_what_a_number_depends_on(digits: ImageDataset, cache: Path) -> None:
    values = build(digits, cache).protocol("test").as_dict()
    assert values["features"] == "classifier"
    assert values["num_samples"] == 359
    assert (values["reference"], values["num_reference_images"]) == ("test", 359)
    assert (values["image_size"], values["num_levels"]) == (8, 17)
    assert values["reference_fingerprint"] == digits.fingerprint
    assert len(values["weights_sha256"]) == 64


def test_another_classifier_is_another_protocol(digits: ImageDataset, cache: Path) -> None:
    one = build(digits, cache).protocol("test")
    other = build(digits, cache, classifier_epochs=1).protocol("test")
    assert one.weights_sha256 != other.weights_sha256
