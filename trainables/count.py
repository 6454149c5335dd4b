"""Counts in sentences."""


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "seed"), plural(3000, "seed")
    ('1 seed', '3,000 seeds')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
