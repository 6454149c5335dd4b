"""What the images of a source look like, before any of them is prepared.

Each image is opened, which reads its header; a thousand of them, evenly spread over the source,
are decoded, which alone tells which levels are used, and whether colours and transparency are
real. No torch here.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from trainables.data.workers import Chunk, Workers
from trainables.error import InputError
from trainables.picture import (
    CONVERTED_MODES,
    GREY_MODES,
    Background,
    Header,
    decode,
    header_of,
    opened,
    without_alpha,
)
from trainables.sources import Source, SourceImage

NUM_DECODED = 1000


@dataclass(slots=True)
class Survey:
    """What was found, image by image.

    Attributes:
        num: images in all, the broken ones among them.
        sizes: number of images by (width, height).
        example: place of the first image of each size.
        modes: number of images by PIL's name for their channels.
        num_with_alpha: images that may have transparent pixels.
        num_with_frames: images of several frames, of which the first is taken.
        num_turned: images that are turned as their camera noted.
        broken: the sentence about each image that cannot be taken, by its number.
        num_decoded: images that were decoded.
        num_coloured: of these, the ones with a pixel that is not grey.
        num_transparent: of these, the ones with a pixel that is not opaque.
        levels: of these, the least and the greatest level; (255, 0) of none.
        kept: the images that were asked for, by number.
    """

    num: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    example: dict[tuple[int, int], str] = field(default_factory=dict)
    modes: Counter[str] = field(default_factory=Counter)
    num_with_alpha: int = 0
    num_with_frames: int = 0
    num_turned: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    num_decoded: int = 0
    num_coloured: int = 0
    num_transparent: int = 0
    levels: tuple[int, int] = (255, 0)
    kept: dict[int, SourceImage] = field(default_factory=dict)

    @property
    def num_grey(self) -> int:
        """Images of one channel beside alpha."""
        return sum(num for mode, num in self.modes.items() if mode in GREY_MODES)

    @property
    def num_converted(self) -> int:
        """Images whose colours reach RGB by a formula."""
        return sum(num for mode, num in self.modes.items() if mode in CONVERTED_MODES)

    def add(self, more: "Survey") -> None:
        """Adds what was found of images that lie behind these."""
        self.num += more.num
        self.sizes.update(more.sizes)
        for size, place in more.example.items():
            self.example.setdefault(size, place)
        self.modes.update(more.modes)
        self.num_with_alpha += more.num_with_alpha
        self.num_with_frames += more.num_with_frames
        self.num_turned += more.num_turned
        self.broken |= more.broken
        self.num_decoded += more.num_decoded
        self.num_coloured += more.num_coloured
        self.num_transparent += more.num_transparent
        (low, high), (other_low, other_high) = self.levels, more.levels
        self.levels = min(low, other_low), max(high, other_high)

    @property
    def first_size(self) -> tuple[int, int]:
        """Width and height of the first image."""
        return next(iter(self.example))


def survey_images(
    source: Source,
    num: int,
    background: Background,
    kept: Sequence[int] = (),
    *,
    workers: Workers,
) -> Survey:
    """Looks at every image of a source once.

    Args:
        source: where they are.
        num: how many there are.
        background: what transparent pixels are laid over, for the levels.
        kept: the numbers of images that are to be kept as they came.
        workers: who looks at them.
    """
    found = Survey()
    decoded = frozenset(np.linspace(0, num - 1, min(num, NUM_DECODED), dtype=int).tolist())
    work = functools.partial(_survey_chunk, decoded=decoded, background=background)
    wanted = set(kept)
    for chunk, seen in workers.results(work, source.images(), np.arange(num)):
        found.add(seen)
        for number, image in enumerate(chunk.images, chunk.first):
            if number in wanted and number not in seen.broken:
                found.kept[number] = image
    return found


def _survey_chunk(chunk: Chunk, decoded: frozenset[int], background: Background) -> Survey:
    found = Survey()
    for number, image in enumerate(chunk.images, chunk.first):
        found.num += 1
        try:
            _look(found, image, background, number in decoded)
        except InputError as error:
            found.broken[number] = str(error)
    return found


def _look(found: Survey, image: SourceImage, background: Background, is_decoded: bool) -> None:
    with opened(image.data, image.place) as picture:
        header = header_of(picture, image.place)
        if is_decoded:
            _look_closely(found, decode(image.data, image.place), background)
    _count(found, header, image.place)


def _count(found: Survey, header: Header, place: str) -> None:
    size = header.width, header.height
    found.sizes[size] += 1
    found.example.setdefault(size, place)
    found.modes[header.mode] += 1
    found.num_with_alpha += header.has_alpha
    found.num_with_frames += header.num_frames > 1
    found.num_turned += header.is_turned


def _look_closely(found: Survey, picture: Image.Image, background: Background) -> None:
    laid, is_transparent = without_alpha(picture, background)
    pixels = np.asarray(laid.convert("L" if laid.mode in GREY_MODES else "RGB"))
    found.num_decoded += 1
    found.num_transparent += is_transparent
    found.num_coloured += pixels.ndim == 3 and bool((pixels != pixels[..., :1]).any())
    low, high = found.levels
    found.levels = min(low, int(pixels.min())), max(high, int(pixels.max()))
