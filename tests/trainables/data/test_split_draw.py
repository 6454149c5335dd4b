"""Splits that a source does not tell are cut by a seed, and groups are never parted by a cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.split_draw import draw_splits
from trainables.error import InputError
from trainables.sources import WHOLE, Reading

COUNTS = st.integers(min_value=3, max_value=200)


def test_a_test_split_that_is_told_is_taken_as_it_is() -> None:
    draw = draw_splits("x", Reading(["test", "train", "train", "validation", "test"]))
    assert {split: rows.tolist() for split, rows in draw.rows.items()} == {
        "train": [1, 2], "validation": [3], "test": [0, 4],
    }  # fmt: skip
    assert draw.rules == ()
    assert not draw.is_cut


@given(COUNTS)
def test_every_image_of_a_whole_lies_in_one_split(num: int) -> None:
    draw = draw_splits("x", Reading([WHOLE] * num))
    rows = np.concatenate(list(draw.rows.values()))
    assert sorted(rows.tolist()) == list(range(num))
    assert sorted(draw.order.tolist()) == list(range(num))
    assert draw.counts["test"] == max(1, num // 10)


def test_the_held_out_part_is_the_test_split_where_there_is_no_other() -> None:
    draw = draw_splits("x", Reading(["train"] * 30 + ["validation"] * 5))
    assert draw.rows["test"].tolist() == list(range(30, 35))
    assert draw.counts == {"train": 27, "validation": 3, "test": 5}
    assert draw.rules[0] == "test: the validation part, since there is no test part"
    assert draw.rules[1].startswith("validation: 3 of 30 images, cut from train by a seed")


def test_a_source_of_train_alone_is_refused_with_its_two_remedies() -> None:
    with pytest.raises(InputError, match=r"only a train part: .*--source.*or .*--test-share 0\.1"):
        draw_splits("x", Reading(["train"] * 30))


@pytest.mark.parametrize("split", ["train", WHOLE])
def test_a_share_cuts_the_test_split(split: str) -> None:
    draw = draw_splits("x", Reading([split] * 40), test_share=0.25)
    assert draw.counts == {"train": 27, "validation": 3, "test": 10}
    assert draw.rules[0] == "test: 10 of 40 images, cut from all images by a seed"


@pytest.mark.parametrize("splits", [["train", "train", "test"], ["train", "train", "validation"]])
def test_a_share_is_refused_where_there_is_a_test_split(splits: list[str]) -> None:
    with pytest.raises(InputError, match="--test-share cuts none"):
        draw_splits("x", Reading(splits), test_share=0.5)


@pytest.mark.parametrize(
    ("splits", "split"),
    [(["train", "test"], "train"), ([WHOLE], "train"), ([WHOLE, WHOLE], "train")],
)
def test_too_few_images_are_told(splits: list[str], split: str) -> None:
    with pytest.raises(InputError, match=f"holds too few images for {split}"):
        draw_splits("x", Reading(splits))


def test_no_image_at_all_is_told() -> None:
    with pytest.raises(InputError, match="the source of x holds no images"):
        draw_splits("x", Reading([]))


@given(st.lists(st.integers(0, 12), min_size=60, max_size=120), st.booleans())
def test_no_group_is_parted_by_a_cut(numbers: list[int], has_test: bool) -> None:
    groups = [f"patient {number}" for number in numbers] + [f"alone {i}" for i in range(20)]
    splits = ["train"] * len(groups) if has_test else [WHOLE] * len(groups)
    if has_test:
        splits, groups = [*splits, "test"], [*groups, "other"]
    draw = draw_splits("x", Reading(splits, groups=groups))
    names = np.array(groups)
    parts = [set(names[rows]) for rows in draw.rows.values()]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert draw.num_parted == 0


def test_groups_that_the_source_parts_are_counted() -> None:
    splits = ["train", "train", "validation", "test"]
    draw = draw_splits("x", Reading(splits, groups=["a", "b", "b", "a"]))
    assert draw.num_parted == 2


def test_the_largest_group_cannot_be_all_there_is() -> None:
    with pytest.raises(InputError, match="holds too few images for train"):
        draw_splits("x", Reading([WHOLE] * 50, groups=["one"] * 50))


def test_groups_that_are_given_leave_the_draw_seeded() -> None:
    reading = Reading([WHOLE] * 100, groups=[str(i // 4) for i in range(100)])
    first, second = draw_splits("x", reading), draw_splits("x", reading)
    assert all((first.rows[split] == second.rows[split]).all() for split in first.rows)
    assert first.counts["test"] in range(10, 14)


def test_a_row_says_its_split() -> None:
    draw = draw_splits("x", Reading(["train"] * 3 + ["validation"] * 2 + ["test"]))
    assert [draw.split_of_row(row) for row in range(6)] == [
        "train", "train", "train", "validation", "validation", "test",
    ]  # fmt: skip
