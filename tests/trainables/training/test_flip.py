import torch

from trainables.training.flip import randomly_flipped

IMAGES = torch.arange(2000 * 3 * 2 * 4).reshape(2000, 3, 2, 4).to(torch.uint8)


def test_each_image_is_itself_or_its_mirror_image_and_both_as_often() -> None:
    torch.manual_seed(0)
    flipped = randomly_flipped(IMAGES)
    is_same = (flipped == IMAGES).flatten(1).all(1)
    is_mirrored = (flipped == IMAGES.flip(-1)).flatten(1).all(1)
    assert torch.all(is_same ^ is_mirrored)
    assert abs(is_mirrored.float().mean() - 0.5) < 0.05


def test_flips_follow_from_the_seed_and_leave_the_images_alone() -> None:
    before = IMAGES.clone()
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(randomly_flipped(IMAGES))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(IMAGES, before)
