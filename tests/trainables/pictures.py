"""Pictures and folders of them, made up for tests of sources."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image


class Pictures:
    """Pictures that differ by their seed, and trees of them."""

    @staticmethod
    def picture(
        seed: int, size: tuple[int, int] = (8, 8), mode: Literal["RGB", "L"] = "RGB"
    ) -> Image.Image:
        draw = np.random.default_rng(seed)
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        return Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8))

    @staticmethod
    def encoded(picture: Image.Image) -> bytes:
        file = io.BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()

    @staticmethod
    def png(seed: int, size: tuple[int, int] = (8, 8)) -> bytes:
        return Pictures.encoded(Pictures.picture(seed, size))

    @staticmethod
    def deep_png(colour_type: int = 2, num_channels: int = 3) -> bytes:
        """A PNG of 8 × 8 with sixteen bits a channel, which PIL would read as eight."""
        header = struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0)
        rows = zlib.compress((b"\0" + bytes(16 * num_channels)) * 8)
        chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )  # fmt: skip

    @staticmethod
    def write_tree(folder: Path, *paths: str) -> Path:
        """A picture at each path, every one another; a path that ends in a slash is a folder."""
        for seed, path in enumerate(paths):
            target = folder / path
            if path.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Pictures.png(seed))
        return folder

    @staticmethod
    def zip_of(folder: Path, path: Path, prefix: str = "") -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, prefix + file.relative_to(folder).as_posix())
        return path
