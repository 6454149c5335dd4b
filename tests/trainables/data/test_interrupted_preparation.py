import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainables.shards import files_in, glob_of, pngs, shard
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import find_prepared

SCRIPT = """
import sys
from pathlib import Path
from trainables.data.preparation import prepare_dataset
def told(done, total):
    print(done, flush=True)
prepare_dataset("x", sys.argv[1], Path(sys.argv[2]), progress=told)
"""


def test_a_killed_preparation_leaves_no_half_set_and_can_be_repeated(tmp_path: Path) -> None:
    for first, split in ((0, "train"), (3000, "test")):
        shard(tmp_path / f"{split}.parquet", pngs(3000, first), range(3000))
    arguments = [sys.executable, "-c", SCRIPT, glob_of(tmp_path), str(tmp_path / "data")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert find_prepared("x", tmp_path / "data") is None
    prepare_dataset("x", glob_of(tmp_path), tmp_path / "data")
    assert [n for n in files_in(tmp_path / "data") if n.endswith((".pixels", ".aside"))] == []


def test_an_interrupted_preparation_leaves_nothing(numbered: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_dataset("x", glob_of(numbered), tmp_path / "data", progress=interrupt)
    assert files_in(tmp_path / "data") == []


def test_what_a_crashed_preparation_left_is_removed(numbered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (".x.pixels", ".x.arrow", ".x.lock"):
        (folder / name).write_bytes(b"torn")
    prepared = prepare_dataset("x", glob_of(numbered), folder)
    assert files_in(folder) == [prepared.path.name]


def test_two_processes_prepare_one_set_without_harm(tmp_path: Path) -> None:
    for first, split in ((0, "train"), (1500, "test")):
        shard(tmp_path / f"{split}.parquet", pngs(1500, first), range(1500))
    arguments = [sys.executable, "-c", SCRIPT, glob_of(tmp_path), str(tmp_path / "data")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(bool(output) for output in outputs) == [False, True]
