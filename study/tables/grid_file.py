"""A grid as files: CSV and Parquet with every digit, Markdown and LaTeX for people."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from study.tables.grid import Grid, Row

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "−": "$-$", "–": "--", "…": r"\dots{}", "↓": r"$\downarrow$",
    "↑": r"$\uparrow$", "×": r"$\times$", "“": "``", "”": "''", "β": r"$\beta$",
    "σ": r"$\sigma$", "ρ": r"$\rho$", "\N{NO-BREAK SPACE}": "~", "<": r"\textless{}",
    ">": r"\textgreater{}", "≥": r"$\geq$", "³": r"\textsuperscript{3}",
}  # fmt: skip


def csv_text(rows: Sequence[Row]) -> str:
    """One line a row, numbers as Python prints them, so that they read back the same.

    A value that is a list is written with spaces between its items.
    """
    buffer = io.StringIO()
    keys = keys_of(rows)
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(keys)
    columns = (_csv_column([row.get(key) for row in rows]) for key in keys)
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def arrow_table(rows: Sequence[Row]) -> pa.Table:
    """The rows as a table of pyarrow; a column of several types holds texts."""
    columns = {key: _parquet_values([row.get(key) for row in rows]) for key in keys_of(rows)}
    return pa.table(columns)


def parquet_bytes(rows: Sequence[Row]) -> bytes:
    """The rows as Parquet; a column whose values are of several types holds their texts."""
    sink = io.BytesIO()
    parquet.write_table(arrow_table(rows), sink)
    return sink.getvalue()


def markdown_text(grid: Grid) -> str:
    """The table; rows that stand out are bold."""
    rules = ["---" if column.is_word else "---:" for column in grid.columns]
    lines = [list(map(_markdown, grid.headers)), rules]
    for row in grid.rows:
        texts = map(_markdown, grid.texts_of(row))
        lines.append([f"**{text}**" if grid.is_strong(row) else text for text in texts])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_text(grid: Grid) -> str:
    """A `table` with its caption, in the rules of the package booktabs; strong rows are bold."""
    lines = [
        r"\begin{table}", r"\centering",
        rf"\caption{{{latex(f'{grid.title}. {grid.full_caption}')}}}",
        rf"\label{{tab:{grid.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{{''.join('l' if c.is_word else 'r' for c in grid.columns)}}}",
        r"\toprule", _latex_line(map(latex, grid.headers)),
    ]  # fmt: skip
    for group in grid.groups():
        lines.append(r"\midrule")
        for row in group:
            texts = [latex(text) for text in grid.texts_of(row)]
            bold = (rf"\textbf{{{text}}}" for text in texts)
            lines.append(_latex_line(bold if grid.is_strong(row) else texts))
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def latex(text: str) -> str:
    r"""A text as LaTeX prints it.

    >>> latex("24.1 ± 0.8, 95 %")
    '24.1 $\\pm$ 0.8, 95 \\%'
    """
    return "".join(_LATEX.get(letter, letter) for letter in text.replace("\n", " "))


def keys_of(rows: Sequence[Row]) -> list[str]:
    """Every key that a row has, in the order of the first that has it."""
    return list(dict.fromkeys(key for row in rows for key in row))


WRITERS: Mapping[str, Callable[[Grid], bytes]] = {
    "csv": lambda grid: csv_text(grid.rows).encode(),
    "md": lambda grid: f"{markdown_text(grid)}\n{grid.full_caption}\n".encode(),
    "tex": lambda grid: latex_text(grid).encode(),
    "parquet": lambda grid: parquet_bytes(grid.rows),
}


def _csv_column(values: Sequence[Any]) -> Sequence[Any]:
    if not {list, tuple} & set(map(type, values)):  # most, and some are long
        return values
    return [" ".join(map(str, v)) if isinstance(v, list | tuple) else v for v in values]


def _parquet_values(values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    is_mixed = len(kinds) > 1 and not kinds <= {int, float}
    return pa.array([str(v) if is_mixed and v is not None else v for v in values])


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _latex_line(texts: Any) -> str:
    return " & ".join(texts) + r" \\"
