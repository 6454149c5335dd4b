"""The words by which folders, files and columns say a split.

train: train, training, trn. validation: validation, valid, val, dev. test: test, testing, tst.
"""

import re

SPLIT_WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip

# Where no whole word says it.
_PARTS = {"train": "train", "validation": "valid|val(?![a-z])", "test": "test"}


def split_of_word(word: str) -> str | None:
    """The split that a whole word says, in any case; None where it says none.

    >>> split_of_word("Training"), split_of_word("latest")
    ('train', None)
    """
    return SPLIT_WORDS.get(word.casefold())


def splits_of_tokens(name: str) -> list[str]:
    """The splits that the words of a name say, each once; words are parted by other signs.

    >>> splits_of_tokens("cifar10_TRAIN-00000.parquet"), splits_of_tokens("testimony_1.png")
    (['train'], [])
    """
    words = re.split(r"[^a-z]+", name.casefold())
    found = [split for word in words if (split := SPLIT_WORDS.get(word))]
    return list(dict.fromkeys(found))


def splits_in(name: str) -> list[str]:
    """The splits that a file's name speaks of: by its words, else by any part of one.

    >>> splits_in("cifar10_TRAIN-00000.parquet"), splits_in("latest_valid"), splits_in("mytest")
    (['train'], ['validation'], ['test'])
    """
    if found := splits_of_tokens(name):
        return found
    for start in ("(?<![a-z])", ""):
        found = [
            split
            for split, pattern in _PARTS.items()
            if re.search(f"{start}(?:{pattern})", name.casefold())
        ]
        if found:
            return found
    return []
