"""What all tests share."""

import os
from pathlib import Path

import pytest

# Before anything imports torch, here or in a process that a test starts: threads that contend for
# few cores are many times slower than one thread each.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
# Ray's workers run at a lower priority, which starves them where other tests want the same cores.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (the name that Ray reads)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real CIFAR-10 and CelebA as Parquet shards; not part of the project."""
    named = os.environ.get("STUDY_TEST_DATA")
    if not named:
        pytest.skip("STUDY_TEST_DATA names no folder with CIFAR-10 and CelebA as Parquet shards")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.skip(f"STUDY_TEST_DATA={named} is not a folder")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Chaos comes only where `-m` names it, whatever else `-m` says."""
    if "chaos" in config.option.markexpr:
        return
    chaotic = [item for item in items if item.get_closest_marker("chaos")]
    if chaotic:
        config.hook.pytest_deselected(items=chaotic)
        items[:] = [item for item in items if item not in chaotic]
