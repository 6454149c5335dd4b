"""What images belong together by a pattern on their paths."""

import re
from collections.abc import Sequence

from trainables.error import InputError


def groups_of(paths: Sequence[str], pattern: str) -> list[str]:
    """The group of each path: what the pattern's first group matches, or the whole of it.

    Raises:
        InputError: the pattern is not a regular expression, or does not match every path.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group {pattern!r} is not a regular expression: {error}") from error
    found = []
    missed = []
    for path in paths:
        match = wanted.search(path)
        if match is None or (match[wanted.groups and 1] or "") == "":
            missed.append(path)
        else:
            found.append(match[wanted.groups and 1])
    if missed:
        raise InputError(
            f"--group {pattern!r} finds nothing in {len(missed):,} of {len(paths):,} paths, such"
            f" as {missed[0]}"
        )
    return found
