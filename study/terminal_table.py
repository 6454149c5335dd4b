"""A table for a terminal: as many columns as its width holds, each of them whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

_WRAPS_FROM = 16  # characters: narrower than that, words under each other are hard to read
_GAPS = (2, 1)  # characters between columns, the better ones first


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that may stand in several lines; none of them is parted.

    >>> Phrase(("24.10 ± 0.83", "(2 of 3 seeds)")).within(20).splitlines()
    ['24.10 ± 0.83', '(2 of 3 seeds)']
    """

    words: tuple[str, ...]

    def __str__(self) -> str:
        """All of it in one line."""
        return " ".join(self.words)

    @property
    def least_width(self) -> int:
        """The width in characters that it needs."""
        return max(min(cell_len(str(self)), _WRAPS_FROM), *map(cell_len, self.words), 0)

    def within(self, width: int) -> str:
        """Its lines at a width of so many characters."""
        lines = list(self.words[:1])
        for word in self.words[1:]:
            longer = f"{lines[-1]} {word}"
            lines[-1:] = [longer] if cell_len(longer) <= width else [lines[-1], word]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Listing:
    """Items in one line; those without room are counted.

    >>> listing = Listing(("#0: 12", "#1: 9", "#2: 3"), "running")
    >>> listing.within(18), listing.within(12)
    ('#0: 12, and 2 more', '3 running')
    """

    items: tuple[str, ...]
    noun: str

    def __str__(self) -> str:
        """All of it."""
        return ", ".join(self.items)

    @property
    def least_width(self) -> int:
        """The width in characters that it needs."""
        return min(map(cell_len, self._texts()))

    def within(self, width: int) -> str:
        """As many items as stand in so many characters; without room for any their count."""
        *longer, shortest = self._texts()
        return next((text for text in longer if cell_len(text) <= width), shortest)

    def _texts(self) -> list[str]:
        """From all items to their count; a single item is short enough."""
        num_items = len(self.items)
        shorter = [
            f"{', '.join(self.items[:number])}, and {num_items - number} more"
            for number in range(num_items - 1, 0, -1)
        ]
        return [str(self), *shorter, f"{num_items} {self.noun}"][: None if num_items > 1 else 1]


Cell = str | Phrase | Listing


@dataclass(frozen=True, slots=True)
class _Line:
    cells: dict[str, Cell]
    style: str | None
    ends_section: bool = False


@dataclass(frozen=True, slots=True)
class _Fit:
    """What is shown at some width: the columns' widths in characters, and the gap between."""

    widths: dict[str, int]
    gap: int
    heading: tuple[str, ...]


@dataclass(slots=True)
class TerminalTable:
    """Rows of cells, of which a terminal shows those columns that it has room for.

    Nothing is cut. Where the width does not hold all columns, the steps of `gives_way` are taken
    one after the other until it does; where that is not enough, the widest words go on in a
    further line.

    Attributes:
        headers: the names of all columns.
        words: columns that stand to the left; numbers stand to the right.
        gives_way: the steps in their order; a header leaves its column out, several headers
            become one heading above the rows that share their values.
        caption: how to read the table; empty if there is nothing to say.
        names_missing: whether columns that are left out are named below the table.
    """

    headers: tuple[str, ...]
    words: tuple[str, ...]
    gives_way: tuple[str | tuple[str, ...], ...] = ()
    caption: str = ""
    names_missing: bool = True
    _lines: list[_Line] = field(default_factory=list)

    def add_row(self, *cells: Cell, style: str | None = None) -> None:
        """A row of as many cells as there are headers."""
        self._lines.append(_Line(dict(zip(self.headers, cells, strict=True)), style))

    def end_section(self) -> None:
        """A line stands between the rows so far and those to come."""
        if self._lines:
            last = self._lines[-1]
            self._lines[-1] = _Line(last.cells, last.style, ends_section=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, and below it the caption and the names of the columns that are left out."""
        fit = self._fit(options.max_width)
        yield self._drawn(fit)
        missing = [name for name in self.headers if name not in (*fit.widths, *fit.heading)]
        if self.names_missing and missing:
            yield Text(f"not shown at this width: {', '.join(missing)}", style="dim")
        if self.caption:
            yield Text(self.caption, style="dim italic")

    def _fit(self, width: int) -> _Fit:
        """The first step at which everything is whole; after the last one words are folded."""
        fits = [_Fit(self._widths(*step), gap, step[1]) for step in self._steps() for gap in _GAPS]
        fit = next((fit for fit in fits if _total(fit) <= width), fits[-1])
        return _Fit(self._stretched(fit, width - _total(fit)), fit.gap, fit.heading)

    def _steps(self) -> Iterator[tuple[list[str], tuple[str, ...]]]:
        """The columns and the headings, from everything to the least."""
        shown = list(self.headers)
        heading: tuple[str, ...] = ()
        yield shown, heading
        for step in self.gives_way:
            gone = (step,) if isinstance(step, str) else step
            heading = heading if isinstance(step, str) else step
            shown = [name for name in shown if name not in gone]
            yield shown, heading

    def _widths(self, shown: Sequence[str], heading: Sequence[str]) -> dict[str, int]:
        """The least that each column needs."""
        widths = {
            name: max(cell_len(name), *(_least_width(line.cells[name]) for line in self._lines), 0)
            for name in shown
        }
        if heading:
            titles = (cell_len(_title(line, heading)) for line in self._lines)
            widths[shown[0]] = max(widths[shown[0]] + 2, *titles, 0)
        return widths

    def _stretched(self, fit: _Fit, spare: int) -> dict[str, int]:
        """What is left goes to the columns that can use it; what lacks is taken from words."""
        widths = dict(fit.widths)
        for name in widths:
            wish = max((cell_len(str(line.cells[name])) for line in self._lines), default=0)
            more = max(0, min(spare, wish - widths[name]))
            widths[name] += more
            spare -= more
        if spare < 0:
            widest = max((name for name in widths if name in self.words), key=widths.__getitem__)
            widths[widest] = max(1, widths[widest] + spare)
        return widths

    def _drawn(self, fit: _Fit) -> RichTable:
        table = RichTable(box=SIMPLE_HEAD, show_edge=False, padding=(0, fit.gap - 1, 0, 0))
        for name, width in fit.widths.items():
            justify: JustifyMethod = "left" if name in self.words else "right"
            table.add_column(name, width=width, justify=justify, overflow="fold")
        title = ""
        for line in self._lines:
            if fit.heading and (above := _title(line, fit.heading)) != title:
                title = above
                table.add_row(Text(title, style="dim"))
            texts = [_text(line.cells[name], width) for name, width in fit.widths.items()]
            if fit.heading:
                texts[0] = f"  {texts[0]}"
            table.add_row(*map(Text, texts), style=line.style, end_section=line.ends_section)
        return table


def _total(fit: _Fit) -> int:
    """Characters of a line: a bar of one between columns, and the rest of the gap behind each."""
    num_columns = len(fit.widths)
    return sum(fit.widths.values()) + num_columns - 1 + num_columns * (fit.gap - 1)


def _title(line: _Line, heading: Sequence[str]) -> str:
    return "/".join(str(line.cells[name]) for name in heading)


def _least_width(cell: Cell) -> int:
    return cell_len(cell) if isinstance(cell, str) else cell.least_width


def _text(cell: Cell, width: int) -> str:
    return cell if isinstance(cell, str) else cell.within(width)
