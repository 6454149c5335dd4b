"""Sets of images that tests of several topics begin from."""

from pathlib import Path

import pytest

from tests.trainables.pictures import Pictures
from tests.trainables.shards import glob_of, pngs, shard
from trainables.config import DataConfig
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.data.preparation import prepare_dataset


@pytest.fixture
def pictures() -> type[Pictures]:
    return Pictures


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset(DataConfig.model_validate({"dataset": "digits"}))


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Twenty images to train on and five to test, labelled by their number."""
    folder = tmp_path / "source"
    folder.mkdir()
    shard(folder / "x_train-0.parquet", pngs(12), range(12))
    shard(folder / "x_train-1.parquet", pngs(8, 12), range(12, 20))
    shard(folder / "x_test.parquet", pngs(5, 20), range(20, 25))
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a prepared set `tiny` of 36 + 4 + 10 images, each labelled by its number."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("data")
    shard(source / "train.parquet", pngs(40), range(40))
    shard(source / "test.parquet", pngs(10, 40), range(40, 50))
    prepare_dataset("tiny", glob_of(source), folder)
    return folder
