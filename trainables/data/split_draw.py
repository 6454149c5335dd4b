"""The splits of a prepared set: those that its source tells, and those that are cut by a seed.

Without a test part a validation part is the test split (ImageNet's layout); without both, and of a
source without splits, the test split is cut from all images. Then the validation split is cut from
train. What belongs to one group is never parted by a cut. No torch here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from trainables.data.prepared_file import SPLITS
from trainables.error import InputError
from trainables.seed import derive_seed
from trainables.sources import WHOLE, Reading

LARGEST_HELD_OUT = 5000
DEFAULT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class SplitDraw:
    """Which image of a source lies where in the prepared set.

    Attributes:
        rows: of each split the numbers of its images, in the order that they are stored.
        rules: how the splits that the source does not tell came about, a sentence each.
        num_parted: groups of which a split that the source tells has images, and another, too.
        is_cut: whether any split was cut by a seed.
    """

    rows: dict[str, Int64[np.ndarray, " _"]]
    rules: tuple[str, ...]
    num_parted: int
    is_cut: bool

    @property
    def counts(self) -> dict[str, int]:
        """Number of images of each split."""
        return {split: len(rows) for split, rows in self.rows.items()}

    @property
    def order(self) -> Int64[np.ndarray, " num"]:
        """For each image of the source its row in the prepared file."""
        return np.argsort(np.concatenate(list(self.rows.values())))

    def split_of_row(self, row: int) -> str:
        """The split that a row of the prepared file lies in."""
        ends = np.cumsum(list(self.counts.values()))
        return SPLITS[int(np.searchsorted(ends, row, side="right"))]


def draw_splits(name: str, reading: Reading, test_share: float | None = None) -> SplitDraw:
    """The three splits of a set.

    Args:
        name: the set's.
        reading: what its source tells.
        test_share: share of all images that the test split takes, where the source has none.

    Raises:
        InputError: the source has only a train part and no share is given, has a test split and a
            share is given, or has too few images or groups.
    """
    splits = np.asarray(reading.splits, dtype=str)
    if not len(splits):
        raise InputError(f"the source of {name} holds no images")
    groups = None if reading.groups is None else _numbered(reading.groups)
    rows = {split: np.flatnonzero(splits == split) for split in SPLITS}
    rules: list[str] = []
    is_whole = bool((splits == WHOLE).any())
    if is_whole:
        rows["train"] = np.arange(len(splits))
    if not len(rows["train"]):
        held = " and ".join(split for split in ("validation", "test") if len(rows[split]))
        raise InputError(f"the source of {name} has no train part, only {held}")
    is_cut = False
    if not len(rows["test"]):
        rule, is_cut = _find_test(name, rows, groups, test_share, is_whole=is_whole)
        rules.append(rule)
    elif test_share is not None:
        raise InputError(f"the source of {name} has a test split, so --test-share cuts none")
    if not len(rows["validation"]):
        is_cut = True
        total = len(rows["train"])
        _cut(rows, "validation", groups, None)
        rules.append(_cut_text("validation", rows, total, "train", groups))
    for split, kept in rows.items():
        if not len(kept):
            raise InputError(f"the source of {name} holds too few images for {split}")
    return SplitDraw(rows, tuple(rules), _num_parted(rows, groups), is_cut)


def _find_test(
    name: str,
    rows: dict[str, Int64[np.ndarray, " _"]],
    groups: Int64[np.ndarray, " num"] | None,
    test_share: float | None,
    *,
    is_whole: bool,
) -> tuple[str, bool]:
    """Makes the test split where the source has none; says how, and whether it was cut."""
    if is_whole or (test_share is not None and not len(rows["validation"])):
        total = len(rows["train"])
        _cut(rows, "test", groups, test_share)
        return _cut_text("test", rows, total, "all images", groups), True
    if not len(rows["validation"]):
        raise InputError(
            f"the source of {name} has only a train part: give the test images, too, with --source"
            " train=PATH --source test=PATH, or cut a test split from it with --test-share 0.1"
        )
    if test_share is not None:
        raise InputError(
            f"the source of {name} has a validation part, which becomes the test split, so"
            " --test-share cuts none"
        )
    rows["test"], rows["validation"] = rows["validation"], rows["test"]
    return "test: the validation part, since there is no test part", False


def _cut(
    rows: dict[str, Int64[np.ndarray, " _"]],
    split: str,
    groups: Int64[np.ndarray, " num"] | None,
    share: float | None,
) -> None:
    """Takes a seeded part of train for another split; whole groups, where there are such."""
    train = rows["train"]
    num = min(LARGEST_HELD_OUT, max(1, len(train) // 10))
    if share is not None:
        num = max(1, round(share * len(train)))
    draw = np.random.default_rng(derive_seed(f"{split} split"))
    if groups is None:
        drawn = draw.permutation(len(train))
        is_taken = np.zeros(len(train), bool)
        is_taken[drawn[:num]] = True
    else:
        is_taken = _whole_groups(groups[train], num, draw)
    rows["train"], rows[split] = train[~is_taken], train[is_taken]


def _whole_groups(
    groups: Int64[np.ndarray, " num"], num: int, draw: np.random.Generator
) -> np.ndarray:
    """Which images are in the groups that are drawn, one after another, until there are `num`."""
    names, sizes = np.unique(groups, return_counts=True)
    drawn = draw.permutation(len(names))
    num_groups = int(np.searchsorted(np.cumsum(sizes[drawn]), num)) + 1
    return np.isin(groups, names[drawn[:num_groups]])


def _cut_text(
    split: str,
    rows: dict[str, Int64[np.ndarray, " _"]],
    total: int,
    of: str,
    groups: Int64[np.ndarray, " num"] | None,
) -> str:
    whole = ", whole groups" if groups is not None else ""
    return f"{split}: {len(rows[split]):,} of {total:,} images, cut from {of} by a seed{whole}"


def _numbered(groups: Sequence[str]) -> Int64[np.ndarray, " num"]:
    return np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1].astype(np.int64)


def _num_parted(
    rows: dict[str, Int64[np.ndarray, " _"]], groups: Int64[np.ndarray, " num"] | None
) -> int:
    """How many groups lie in more than one split."""
    if groups is None:
        return 0
    inside = [np.unique(groups[kept]) for kept in rows.values()]
    return int((np.unique(np.concatenate(inside), return_counts=True)[1] > 1).sum())
