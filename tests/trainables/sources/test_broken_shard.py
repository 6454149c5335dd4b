from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.trainables.pictures import Pictures
from tests.trainables.shards import files_in, glob_of, pngs, shard
from trainables.data.preparation import prepare_dataset
from trainables.error import InputError

BROKEN = {
    "no files": "no file matches",
    "no split in the name": "x_other.parquet says no split",
    "no train": "has 'train' in its name",
    "no test": "has only a train part: give the test images, too",
    "not Parquet": "x_test.parquet is not a Parquet file",
    "truncated": "x_test.parquet is not a Parquet file, or is cut short",
    "empty file": "x_test.parquet is not a Parquet file",
    "damaged inside": "damaged|does not decode",
    "no image column": "needs a column `image` or `img`, it has picture",
    "images are text": "encoded bytes are needed",
    "labels are text": "integers are needed",
    "undecodable": "image 1 of .*x_test.parquet does not decode",
    "cut image": "image 0 of .*x_test.parquet does not decode",
    "no bytes": "image 0 of .*x_test.parquet does not decode",
    "sixteen bits": "more than eight bits",
    "other size": "image 1 of .*x_test.parquet is 9×8, and the first image 8×8",
    "other size in another shard": "8×8, and the first image 16×16",
    "not square": "is 9×8, and images need to be square",
    "no rows": "too few images for test",
    "no rows anywhere": "holds no images",
}


def break_it(numbered: Path, how: str) -> None:
    test = numbered / "x_test.parquet"
    match how:
        case "no files":
            for path in numbered.iterdir():
                path.unlink()
        case "no split in the name":
            test.rename(numbered / "x_other.parquet")
        case "no train":
            for path in numbered.glob("*train*"):
                path.unlink()
        case "no test":
            test.unlink()
        case "not Parquet":
            test.write_text("image,label\n")
        case "truncated":
            test.write_bytes(test.read_bytes()[:-100])
        case "empty file":
            test.write_bytes(b"")
        case "damaged inside":
            content = bytearray(test.read_bytes())
            content[10:400] = bytes(390)
            test.write_bytes(content)
        case "no image column":
            shard(test, pngs(2), key="picture")
        case "images are text":
            pq.write_table(pa.table({"image": ["a.png"]}), test)
        case "labels are text":
            shard(test, pngs(2), ["cat", "dog"])
        case "undecodable":
            shard(test, [*pngs(1), b"no picture"])
        case "cut image":
            shard(test, [pngs(1)[0][:80]])
        case "no bytes":
            pq.write_table(pa.table({"image": pa.array([None], pa.binary())}), test)
        case "sixteen bits":
            shard(test, [Pictures.encoded(Image.new("I;16", (8, 8)))])
        case "other size":
            shard(test, [*pngs(1), Pictures.png(0, (9, 8))])
        case "other size in another shard":
            shard(test, [Pictures.png(0, (16, 16))])
        case "not square":
            shard(test, [Pictures.png(0, (9, 8))])
        case "no rows":
            pq.write_table(pq.read_table(test).slice(0, 0), test)
        case "no rows anywhere":
            for path in numbered.iterdir():
                shard(path, [], [])


@pytest.mark.parametrize("how", BROKEN)
def test_a_numbered_one_broken_is_one_sentence_and_leaves_nothing_behind(
    numbered: Path, tmp_path: Path, how: str
) -> None:
    break_it(numbered, how)
    with pytest.raises(InputError, match=BROKEN[how]) as caught:
        prepare_dataset("x", glob_of(numbered), tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path / "data") == []
