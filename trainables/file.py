"""Files that are whole or not there, and digests of their content."""

import hashlib
import os
from pathlib import Path


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes the whole file or none of it, also through a crash.

    A reader sees the old file or the new one, never a half.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written; what was there before is left as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
