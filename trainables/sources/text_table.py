"""Lines of cells, as texts beside images hold them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NUM_FIRST = 50
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A text as cells.

    Attributes:
        path: the file.
        header: the cells of a first line that is like no other; empty without one.
        first: the cells of the first lines behind it; at least one.
        lines: every line that is not blank, with its number from 1 on.
        separator: what parts the cells; None for blanks.
    """

    path: str
    header: Sequence[str]
    first: Sequence[Sequence[str]]
    lines: Sequence[tuple[int, str]]
    separator: str | None

    @property
    def num_columns(self) -> int:
        """Of the first row."""
        return len(self.first[0])

    def column(self, at: int) -> list[str]:
        """The cells of a column in the first rows; of a row that is shorter there is none."""
        return [row[at] for row in self.first if len(row) > at]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Number and cells of every line but the header, parsed as they are asked for."""
        for number, line in self.lines[1 if self.header else 0 :]:
            yield number, _cells(line, self.separator)


def read_table(text: str, path: str) -> TextTable | None:
    """A text as cells; None where it has no lines.

    Cells are parted by commas, semicolons or tabs where all of the first lines have such, else by
    blanks. A first line is a header if it has neither a digit nor a dot, and the second has.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        return None
    separator = _separator(path, [line for _, line in lines[:NUM_FIRST]])
    first = [_cells(line, separator) for _, line in lines[: NUM_FIRST + 1]]
    if len(first) > 1 and not _has_value(first[0]) and _has_value(first[1]):
        return TextTable(path, first[0], first[1:], lines, separator)
    return TextTable(path, (), first[:NUM_FIRST], lines, separator)


def _separator(path: str, first: list[str]) -> str | None:
    for separator in _SEPARATORS:
        if all(separator in line for line in first):
            return separator
    # One column of names, which may have blanks.
    return "," if path.lower().endswith((".csv", ".tsv")) else None


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    # Line by line, so that a quote which is left open ends with its line.
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return [cell.strip() for cell in cells]


def _has_value(cells: list[str]) -> bool:
    return any(any(c.isdigit() for c in cell) or "." in cell for cell in cells)
