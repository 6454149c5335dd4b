"""A table of plain values, with what a person reads of each: every table of a report is one.

Files for programs (CSV, Parquet) hold the values, files for people (Markdown, LaTeX, HTML) the
texts that the columns make of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from search_spaces import Stratum
from study.text import MISSING, fid_text, interval_text, seeded_fid_text, value_text

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What a person reads in one column.

    Attributes:
        header: its name.
        keys: the values of a row that it shows.
        text: the text that it makes of them.
        is_word: whether it holds words, which stand to the left; numbers stand to the right.
    """

    header: str
    keys: tuple[str, ...]
    text: Callable[..., str] = value_text
    is_word: bool = False

    def of(self, row: Row) -> str:
        """Its text for a row; values that the row lacks are None."""
        return self.text(*(row.get(key) for key in self.keys))


@dataclass(frozen=True, slots=True)
class Grid:
    """One table.

    Attributes:
        name: its files' name.
        title: its heading.
        caption: how to read it.
        columns: what people see; rows may hold further values.
        rows: plain values by key; lists where a row has several.
        missing: what is said without rows; if empty, nothing at all is shown.
        group_by: keys whose change is drawn as a line between rows.
        strong: the key that is true in rows that stand out.
        provenance: how the numbers were made, for files that stand alone.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    missing: str = ""
    group_by: tuple[str, ...] = ()
    strong: str = ""
    provenance: str = ""

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.header for column in self.columns)

    @property
    def full_caption(self) -> str:
        """The caption of a file that stands alone."""
        return f"{self.caption} {self.provenance}".strip()

    def texts(self) -> list[tuple[str, ...]]:
        """What people read, row by row."""
        return [self.texts_of(row) for row in self.rows]

    def texts_of(self, row: Row) -> tuple[str, ...]:
        """What people read in one row."""
        return tuple(column.of(row) for column in self.columns)

    def is_strong(self, row: Row) -> bool:
        """Whether the row stands out."""
        return bool(self.strong and row.get(self.strong))

    def groups(self) -> Iterator[list[Row]]:
        """The rows between two lines."""
        for _, rows in groupby(self.rows, lambda row: [row.get(key) for key in self.group_by]):
            yield list(rows)


def word(header: str, key: str = "") -> Column:
    """A column of words; its key is by default the header."""
    return Column(header, (key or header.replace(" ", "_"),), is_word=True)


def number(header: str, key: str = "", text: Callable[..., str] = value_text) -> Column:
    """A column of numbers; its key is by default the header."""
    return Column(header, (key or header.replace(" ", "_"),), text)


def fid(header: str, key: str, deviation: str | None = None) -> Column:
    """A column of Fréchet distances, with the key of their deviation where there is one."""
    return Column(header, (key, deviation) if deviation else (key,), fid_text)


def seeded_fid(header: str) -> Column:
    """A column of a cell's test FID ± its deviation, with its seeds where some failed."""
    keys = ("test_fid", "standard_deviation", "num_tested", "num_failed_seeds")
    return Column(header, keys, seeded_fid_text)


def interval(header: str = "95 % interval", prefix: str = "interval", *, signed: bool) -> Column:
    """A column of intervals, held as `<prefix>_low` and `<prefix>_high`."""
    return Column(
        header, (f"{prefix}_low", f"{prefix}_high"), lambda a, b: interval_text(a, b, signed)
    )


STRATUM = (word("dataset"), number("latent size"), word("prior"))


def stratum_row(stratum: Stratum) -> dict[str, Any]:
    """The values that `STRATUM` shows."""
    return {
        "dataset": stratum.dataset,
        "latent_size": stratum.latent_size,
        "prior": stratum.prior,
    }


def interval_row(interval: tuple[float, float] | None, prefix: str = "interval") -> Row:
    """The values that a column of intervals shows."""
    low, high = interval or (None, None)
    return {f"{prefix}_low": low, f"{prefix}_high": high}


def p_text(value: float | None) -> str:
    """A probability of a test, with two digits.

    >>> p_text(0.01234), p_text(None)
    ('0.012', '–')
    """
    return MISSING if value is None else f"{value:.2g}"
