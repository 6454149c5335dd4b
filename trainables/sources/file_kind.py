"""What a file is: by its first bytes, and by its name where they need not be read."""

import re
from functools import cache

from PIL import features

# Files of these endings are images; a damaged one is found out when it is decoded.
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".zst", ".7z", ".rar",
)  # fmt: skip
GIT_LFS = b"version https://git-lfs"
_SYSTEM_FOLDERS = {
    "__macosx", "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
    "$recycle.bin", "system volume information", "lost+found", "__pycache__",
}  # fmt: skip
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"}

_MAGIC = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    # The size of the header behind the file's own: of OS/2, and of Windows since 3.0.
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PNM": rb"P[1-6][ \t\r\n]+(?:#[^\n]*\n\s*)*\d+[ \t\r\n]+\d+[ \t\r\n]",
    "AVIF": rb".{4}ftypavi[fs]",
    "HEIC": rb".{4}ftyp(?:hei[cxmsf]|hev[cxms]|mif1|msf1)",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
}
_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _MAGIC.items()}
# Pillow decodes these only where it was built with the library.
_NEEDS = {"AVIF": "avif", "JPEG 2000": "jpg_2000", "WEBP": "webp"}
_NEVER = {"HEIC", "JPEG XL"}


def image_kind(head: bytes) -> str | None:
    """The format of the image that begins with these bytes; None where it is none.

    >>> image_kind(b"P5 8 8 255 "), image_kind(b"P5 is the fifth"), image_kind(b"GIF89a")
    ('PNM', None, 'GIF')
    """
    if _PATTERNS["HEIC"].match(head) and b"avif" in head:
        return "AVIF"
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(head)), None)


@cache
def is_decodable(kind: str) -> bool:
    """Whether images of a format can be decoded here."""
    return kind not in _NEVER and (kind not in _NEEDS or bool(features.check(_NEEDS[kind])))


def is_system(path: str) -> bool:
    """Whether systems and their programs leave such a file behind, or people hide it.

    >>> is_system("cat/@eaDir/1.png"), is_system(".git/config"), is_system("cat/1.png")
    (True, True, False)
    """
    *folders, name = path.casefold().split("/")
    return (
        any(part.startswith(".") for part in (*folders, name))
        or not _SYSTEM_FOLDERS.isdisjoint(folders)
        or name in _SYSTEM_FILES
    )


def ending(path: str) -> str:
    """The ending of a file's name in lower case with its dot, or "no ending".

    >>> ending("a.b/Cat.JPG"), ending("a.b/cat")
    ('.jpg', 'no ending')
    """
    stem, dot, last = path.rpartition("/")[2].rpartition(".")
    return f".{last.lower()}" if dot and stem and last else "no ending"
