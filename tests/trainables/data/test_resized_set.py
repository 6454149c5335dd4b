from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.pictures import Pictures
from tests.trainables.plain_set import images_of, labels_of
from tests.trainables.shards import shard
from trainables.config import DataConfig
from trainables.data.dataset import found_format, load_dataset
from trainables.data.preparation import prepare_dataset
from trainables.error import InputError


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("name", ["digits", "tiny"])
def test_a_resized_set_has_the_same_images_at_another_size(
    name: str, size: int, tiny: Path
) -> None:
    small = load_dataset(as_found(name, tiny), tiny)
    large = load_dataset(at_size(name, tiny, size), tiny)
    assert large.format == small.format.model_copy(update={"size": size})
    assert labels_of(large) == labels_of(small)
    for few, many in zip(images_of(small), images_of(large), strict=True):
        assert many.shape == (len(few), small.format.channels, size, size)
        assert many.max() < small.num_levels
        means = many.mean((1, 2, 3)), few.mean((1, 2, 3))
        np.testing.assert_allclose(*means, rtol=0.15, atol=0.3)


def as_found(name: str, folder: Path, **fields: object) -> DataConfig:
    values = {"dataset": name, "format": found_format(name, folder), **fields}
    return DataConfig.model_validate(values)


def at_size(name: str, folder: Path, size: int, **fields: object) -> DataConfig:
    image = found_format(name, folder).model_copy(update={"size": size})
    return as_found(name, folder, **{"format": image, "resize": size, **fields})


def test_a_resized_set_has_a_fingerprint_of_its_own(tiny: Path) -> None:
    configs = [
        as_found("tiny", tiny),
        at_size("tiny", tiny, 32),
        at_size("tiny", tiny, 64),
        at_size("tiny", tiny, 32, num_images=20),
    ]
    assert len({load_dataset(config, tiny).fingerprint for config in configs}) == 4


def test_a_set_that_has_the_size_already_stays_what_it_is(tiny: Path, tmp_path: Path) -> None:
    resized = load_dataset(at_size("tiny", tiny, 32), tiny)
    assert load_dataset(at_size("tiny", tiny, 32), tiny).fingerprint == resized.fingerprint
    shards = tmp_path / "shards"
    shards.mkdir()
    half = len(resized.train) // 2
    for split, part in (("train", resized.train[half:]), ("test", resized.train[:half])):
        images = [Image.fromarray(image.transpose(1, 2, 0)) for image in part]
        shard(shards / f"{split}.parquet", map(Pictures.encoded, images))
    prepare_dataset("large", str(shards / "*.parquet"), tmp_path)
    before = load_dataset(as_found("large", tmp_path), tmp_path)
    after = load_dataset(at_size("large", tmp_path, 32), tmp_path)
    assert after.fingerprint == before.fingerprint
    assert len(list(tmp_path.glob("*.arrow"))) == 1


def test_a_subset_of_a_resized_set_has_the_images_of_the_subset(tiny: Path) -> None:
    few = load_dataset(as_found("tiny", tiny, num_images=20), tiny)
    large = load_dataset(at_size("tiny", tiny, 32, num_images=20), tiny)
    assert labels_of(large) == labels_of(few)


def test_the_format_promised_is_that_after_resizing(tiny: Path) -> None:
    config = at_size("tiny", tiny, 32)
    grey = config.format.model_copy(update={"channels": 1})
    with pytest.raises(InputError, match=r"size=32.*but the config says"):
        load_dataset(config.model_copy(update={"format": grey}), tiny)


def test_digits_are_resized_in_memory_where_there_is_no_folder(tmp_path: Path) -> None:
    config = DataConfig.model_validate({"dataset": "digits", "resize": 32})
    here, there = load_dataset(config), load_dataset(config, tmp_path / "data")
    for one, other in zip(images_of(here), images_of(there), strict=True):
        np.testing.assert_array_equal(one, other)
    assert here.fingerprint == there.fingerprint
    assert here.format == there.format == config.format
