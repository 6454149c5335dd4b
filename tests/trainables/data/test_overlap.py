"""Test images that are train images are found, told, and refused where they are many."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import DataConfig, ImageFormat, PreparationConfig
from trainables.data.dataset import load_dataset
from trainables.data.overlap import (
    DIGEST,
    LARGEST_SHARE,
    Overlap,
    PairOverlap,
    check_overlap,
    count_overlap,
    exact_digest,
    is_constant,
    look_hash,
    overlap_text,
)
from trainables.data.preparation import prepare_dataset
from trainables.error import InputError

ALLOWED = PreparationConfig(allow_duplicates=True)


def images(num: int, seed: int = 0, size: int = 8) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (num, 3, size, size), dtype=np.uint8)


def overlap_of(splits: dict[str, np.ndarray]) -> Overlap:
    digests = {
        split: np.array([exact_digest(one) for one in part], DIGEST)
        for split, part in splits.items()
    }
    looks = {split: look_hash(part) for split, part in splits.items()}
    constant = {split: is_constant(part) for split, part in splits.items()}
    return count_overlap(digests, digests, looks, constant)


@given(st.lists(st.integers(0, 30), min_size=1), st.lists(st.integers(0, 30), min_size=1))
def test_the_count_is_that_of_looking_at_every_pair(first: list[int], second: list[int]) -> None:
    pool = images(31)
    pool[0] = 7
    (pair,) = overlap_of({"train": pool[first], "test": pool[second]}).pairs
    small, large = sorted((first, second), key=len)
    if len(first) == len(second):
        small, large = first, second
    assert pair.num_smaller == len(small)
    assert pair.num_exact == sum(number in large for number in small if number != 0)
    assert pair.num_alike == 0


def test_a_digest_tells_shapes_and_single_pixels_apart() -> None:
    one = images(1)[0]
    other = one.copy()
    other[0, 0, 0] ^= 1
    assert exact_digest(one) == exact_digest(one.copy())
    assert exact_digest(one) != exact_digest(other)
    assert exact_digest(one) != exact_digest(one.reshape(3, 4, 16))


@pytest.mark.parametrize("size", [4, 8, 33, 64])
def test_an_image_that_is_hardly_changed_keeps_its_look(size: int) -> None:
    ramp = np.linspace(0, 200, size)
    smooth = (ramp[:, None] + ramp[::-1] ** 2 / 200).clip(0, 250) / 2
    one = np.broadcast_to(smooth, (1, 3, size, size)).astype(np.uint8)
    assert look_hash(one) == look_hash(one + np.uint8(2))
    assert look_hash(one) != look_hash(one[..., ::-1].copy())


def test_images_of_one_colour_are_counted_apart() -> None:
    plain = np.full((5, 3, 8, 8), 9, np.uint8)
    overlap = overlap_of({"train": plain, "test": plain[:2]})
    assert overlap.num_constant == 7
    assert overlap.pairs[0].num_exact == 0
    assert "7 images of one colour only" in overlap_text(overlap)
    assert not is_constant(images(3)).any()


@pytest.mark.parametrize(("num_exact", "is_refused"), [(0, False), (2, False), (3, True)])
def test_more_than_one_in_a_thousand_is_refused(num_exact: int, is_refused: bool) -> None:
    overlap = Overlap((PairOverlap("train", "test", 2000, num_exact, 100),), 0)
    assert (num_exact > LARGEST_SHARE * 2000) == is_refused
    check_overlap(overlap, "mine", is_allowed=True)
    if not is_refused:
        check_overlap(overlap, "mine", is_allowed=False)
        return
    with pytest.raises(InputError, match="train and test of mine share 3 of 2,000 "):
        check_overlap(overlap, "mine", is_allowed=False)


def test_an_overlap_comes_back_from_plain_values() -> None:
    overlap = overlap_of({"train": images(9), "validation": images(3, 1), "test": images(4)})
    assert Overlap.from_dict(overlap.as_dict()) == overlap
    assert overlap_text(overlap).startswith("train and test share 4 of 4 images, pixel by pixel")


@pytest.mark.parametrize("kind", ["copied", "enlarged"])
def test_a_test_image_that_is_a_train_image_is_found(
    kind: str, pictures: Any, tmp_path: Path
) -> None:
    """Byte for byte, and by its pixels at the prepared size."""
    from PIL import Image

    tree = pictures.write_tree(
        tmp_path / "tree", *(f"train/{i:02}.png" for i in range(20)), "test/1.png", "test/2.png"
    )
    original = Image.open(tree / "train" / "03.png")
    size = (8, 8) if kind == "copied" else (16, 16)
    original.resize(size, Image.Resampling.NEAREST).save(tree / "test" / "1.png")
    wanted = ImageFormat(channels=3, size=4)
    source, folder = str(tree), tmp_path / "data"
    with pytest.raises(InputError, match="and test of mine share 1 of 2 images"):
        prepare_dataset("mine", source, folder, None if kind == "copied" else wanted)
    assert not folder.exists()
    prepared = prepare_dataset(
        "mine", source, folder, None if kind == "copied" else wanted, config=ALLOWED
    )
    assert prepared.overlap is not None
    assert sum(pair.num_exact for pair in prepared.overlap.pairs) == 1


def test_digits_have_no_image_in_two_splits() -> None:
    data = DataConfig.model_validate({"dataset": "digits"})
    splits = {split: part for split, (part, _) in load_dataset(data).splits.items()}
    assert [pair.num_exact for pair in overlap_of(splits).pairs] == [0, 0, 0]
