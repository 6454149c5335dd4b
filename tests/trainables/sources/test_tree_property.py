"""Whatever a tree looks like, no file of it is lost and no test image is trained on."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.pictures import Pictures
from trainables.config import PreparationConfig
from trainables.data.split_draw import draw_splits
from trainables.error import InputError
from trainables.sources.file_tree import HEAD_BYTES, FileTree
from trainables.sources.tree import TreeSource

SPLIT_WORDS = {
    "train": "train", "Training": "train", "trn": "train", "val": "validation",
    "valid": "validation", "DEV": "validation", "test": "test", "testing": "test", "Tst": "test",
}  # fmt: skip
TOKENS = ["bullet_train", "test_tube", "train2017", "test2017", "train_val"]
NAMES = [
    *SPLIT_WORDS, *TOKENS, "cat", "dog", "Dog", "01", "1", "images", "img", "cafe\u0301",
    "caf\u00e9", "labels", "@eaDir", ".git", "__MACOSX",
]  # fmt: skip
FILES = [
    "1.png", "2.PNG", "3.jpeg", "train_4.png", "test_5.png", "testimony_6.png", "7.heic", "8.jfif",
    "9", "notes.txt", "train.txt", "split.csv", "Thumbs.db", ".DS_Store", "more.zip", "0001.json",
]  # fmt: skip
IS_IMAGE = {".png", ".PNG", ".jpeg", ".jfif"}
HEIC = b"\0\0\0\x18ftypheic" + bytes(20)


class MemoryTree(FileTree):
    """Files that are nowhere but here."""

    def __init__(self, contents: dict[str, bytes], folders: Iterable[str] = ()) -> None:
        self.contents = contents
        self.files = sorted(contents)
        above = {
            path.rsplit("/", end)[0] for path in contents for end in range(1, path.count("/") + 1)
        }
        self.folders = sorted(above | set(folders))

    def __str__(self) -> str:
        return "memory"

    def head(self, path: str) -> bytes:
        return self.contents[path][:HEAD_BYTES]

    def content(self, path: str) -> bytes:
        return self.contents[path]

    def text(self, path: str) -> str:
        return self.contents[path].decode()

    def place(self, path: str) -> str:
        return path

    def identity(self, paths: Iterable[str]) -> Any:
        return sorted(paths)


def content_of(path: str) -> bytes:
    name = path.rpartition("/")[2]
    if name.endswith(".heic"):
        return HEIC
    is_image = name == "9" or any(name.endswith(end) for end in IS_IMAGE)
    return Pictures.png(0) if is_image else b"1.png"


paths = st.builds(
    lambda folders, name: "/".join([*folders, name]),
    st.lists(st.sampled_from(NAMES), max_size=4),
    st.sampled_from(FILES),
)
# Trees as people have them, since nearly all of those above are refused: the same in each split.
inner = st.one_of(
    st.sets(st.sampled_from(FILES), min_size=1, max_size=4),
    *(
        st.sets(
            st.builds(
                lambda folder, name, last=last: f"{folder}{last}/{name}",
                st.sampled_from(["cat", "train", "test", "Dev", "dog", "images", ".git"]),
                st.sampled_from(FILES),
            ),
            min_size=1,
            max_size=6,
        )
        for last in ("", "/images", "/deep/er")
    ),
)
regular = st.builds(
    lambda train, others, above, files, more: (
        {f"{above}{split}/{file}" for split in (train, *others) for file in files} | more
    ),
    st.sampled_from(["train", "Training", "trn"]),
    st.sampled_from([("val",), ("testing",), ("valid", "Tst"), ("DEV", "test"), ()]),
    st.sampled_from(["", "", "mine/", "a/images/"]),
    inner,
    st.one_of(st.just(set()), st.sets(paths, max_size=1)),
)


@settings(max_examples=400)
@given(st.one_of(st.sets(paths, min_size=1, max_size=12), regular))
def test_every_file_is_taken_or_told_and_no_test_image_is_trained_on(files: set[str]) -> None:
    files = {path for path in files if not any(other.startswith(f"{path}/") for other in files)}
    tree = MemoryTree({path: content_of(path) for path in files})
    refusal = None
    try:
        source = TreeSource(tree, PreparationConfig())
        reading = source.reading()
        draw = draw_splits("mine", reading)
    except InputError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert len(refusal) < 500
        return
    places = [image.place for image in source.images()]
    num_left = sum(left.num for left in reading.left_out)
    assert len(places) + num_left + len(reading.used) == len(files)
    assert sum(draw.counts.values()) == len(places) == len(set(places))
    drawn = {places[row]: split for split, rows in draw.rows.items() for row in rows.tolist()}
    for path, split in drawn.items():
        word = outermost(path)
        if word == "test":
            assert split == "test", (path, reading.rules)
        if word == "validation":
            assert split != "train", (path, reading.rules)


def outermost(path: str) -> str | None:
    """The split that the outermost folder says which speaks of one; None if not by a word."""
    for name in path.split("/")[:-1]:
        if name in SPLIT_WORDS or name in TOKENS:
            return SPLIT_WORDS.get(name)
    return None


@given(st.lists(st.sampled_from(["1.png", "2.png", "3.png"]), min_size=1, unique=True))
def test_a_class_of_any_word_below_splits_keeps_its_name(names: list[str]) -> None:
    words = ["train", "val", "test", "cat"]
    files = {
        f"{top}/{word}/{name}" for top in ("train", "test") for word in words for name in names
    }
    reading = TreeSource(
        MemoryTree({path: content_of(path) for path in files}), PreparationConfig()
    ).reading()
    assert set(reading.classes) == set(words)
    assert reading.labels is not None
    for path, split, label in zip(sorted(files), reading.splits, reading.labels, strict=True):
        assert path.split("/")[:2] == [split, reading.classes[label]]
