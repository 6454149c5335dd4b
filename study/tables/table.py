"""The table of a study: its cells, the best of each column, and how they were measured."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from search_spaces import Stratum, StudySpec
from study.record import TrialRecord
from study.tables.cell import Cell, build_cell, merge_repeats
from study.tables.paper import paper_fid
from study.tables.protocol import VALIDATION, first_difference
from study.tables.seed import fid_of_seeds, unit_of
from study.terminal_table import Cell as Shown
from study.terminal_table import Phrase, TerminalTable
from study.text import MISSING, fid_text

_Groups = defaultdict[tuple[Stratum, str | None], list[TrialRecord]]


@dataclass(frozen=True, slots=True)
class Table:
    """All cells of a study, in the order of the space, and its variants.

    Attributes:
        cells: a cell a stratum, of what the first criterion of the space chose.
        variants: a cell for each variant of a stratum.
        selections: with several criteria a cell for each stratum and criterion, those of `cells`
            among them; else empty.
    """

    cells: tuple[Cell, ...]
    variants: tuple[Cell, ...] = ()
    selections: tuple[Cell, ...] = ()

    @property
    def further_selections(self) -> tuple[Cell, ...]:
        """The selections that are none of the cells."""
        shown = set(map(id, self.cells))
        return tuple(cell for cell in self.selections if id(cell) not in shown)

    @property
    def every_cell(self) -> tuple[Cell, ...]:
        """The cells, the variants, and the further selections."""
        return (*self.cells, *self.variants, *self.further_selections)

    @property
    def empty_cells(self) -> tuple[Cell, ...]:
        """The cells, variants and selections without a test FID."""
        return tuple(cell for cell in self.every_cell if not cell.tests)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is to come in any cell."""
        return all(cell.is_finished for cell in self.every_cell)

    def columns(self) -> dict[tuple[str, int], list[Cell]]:
        """The cells that compete, by dataset and latent size."""
        columns = defaultdict(list)
        for cell in self.cells:
            columns[cell.stratum.dataset, cell.stratum.latent_size].append(cell)
        return dict(columns)

    def by_column(self) -> list[Cell]:
        """The cells that compete, those of a column side by side."""
        return [cell for column in self.columns().values() for cell in column]

    def is_best(self, cell: Cell) -> bool:
        """Whether the cell has the lowest mean test FID of two or more in its column."""
        rivals = self.columns()[cell.stratum.dataset, cell.stratum.latent_size]
        means = [rival.mean for rival in rivals if rival.mean is not None]
        return len(means) > 1 and cell.mean == min(means)

    def rank(self, cell: Cell) -> int | None:
        """Place of the cell's mean test FID in its column, from 1, the lowest; None without."""
        if cell.mean is None:
            return None
        rivals = self.columns()[cell.stratum.dataset, cell.stratum.latent_size]
        return 1 + sum(rival.mean < cell.mean for rival in rivals if rival.mean is not None)

    def protocols(self) -> dict[str, dict[str, Any]]:
        """The protocol of the test FIDs of each data set that has any.

        Raises:
            ValueError: values of one data set were measured in different ways.
        """
        return _by_dataset("test", self._test_protocols())

    def validation_protocols(self) -> dict[str, dict[str, Any]]:
        """The protocol of the validation FIDs of each data set, where a trial has recorded one.

        Raises:
            ValueError: values of one data set were measured in different ways.
        """
        return _by_dataset("validation", self._validation_protocols())

    def _test_protocols(self) -> Iterator[tuple[Stratum, dict[str, Any]]]:
        for cell in self.every_cell:
            for test in cell.tests:
                yield cell.stratum, test.protocol

    def _validation_protocols(self) -> Iterator[tuple[Stratum, dict[str, Any]]]:
        for cell in self.every_cell:
            for trial in cell.trials:
                if VALIDATION in trial.attributes:
                    yield cell.stratum, trial.attributes[VALIDATION]


def build_table(spec: StudySpec, records: Iterable[TrialRecord]) -> Table:
    """The table of a study from what is known of its trials, finished or not.

    A space that searches nothing has its variants alone, or without any the strata as they are.

    Raises:
        ValueError: FIDs of one data set and split were measured in different ways.
    """
    groups: _Groups = defaultdict(list)
    for record in records:
        groups[record.stratum, record.attributes.get("variant")].append(record)
    has_search = spec.budget.trials_per_stratum > 0
    has_cells = has_search or not spec.variants
    by_stratum = [_selections(spec, groups, s) for s in spec.cells()] if has_cells else []
    several = len(spec.confirm.by) > 1
    table = Table(
        tuple(selections[0] for selections in by_stratum),
        tuple(
            build_cell(spec, stratum, name, groups[stratum, name])
            for stratum in spec.cells()
            for name in spec.variants_of(stratum)
            if (stratum, name) in groups or not has_search
        ),
        tuple(cell for selections in by_stratum for cell in selections if several),
    )
    table.protocols()
    table.validation_protocols()
    return table


def _selections(spec: StudySpec, groups: _Groups, stratum: Stratum) -> list[Cell]:
    """The stratum's cell by each criterion, over the repeats of its search."""
    repeats = [replace(stratum, repeat=number) for number in range(spec.search.num_repeats)]
    return [
        merge_repeats([build_cell(spec, r, None, groups[r, None], criterion) for r in repeats])
        for criterion in spec.confirm.by
    ]


def _by_dataset(
    reference: str, protocols: Iterable[tuple[Stratum, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    found: dict[str, tuple[Stratum, dict[str, Any]]] = {}
    for stratum, protocol in protocols:
        first = found.setdefault(stratum.dataset, (stratum, protocol))
        _refuse_mixture(reference, *first, stratum, protocol)
    return {dataset: protocol for dataset, (_, protocol) in found.items()}


def _refuse_mixture(
    reference: str,
    stratum: Stratum,
    protocol: dict[str, Any],
    other: Stratum,
    its_protocol: dict[str, Any],
) -> None:
    name = first_difference(protocol, its_protocol)
    if name is not None:
        raise ValueError(
            f"{reference} FIDs of {stratum.dataset} cannot share a column: {name} is"
            f" {protocol.get(name)!r} in {stratum}, but {its_protocol.get(name)!r} in {other}"
        )


def render_table(table: Table) -> TerminalTable:
    """The table for a terminal; the best prior of each column is bold."""
    has_paper = any(paper_fid(cell.stratum) is not None for cell in table.cells)
    unit = unit_of(table.cells)
    view = TerminalTable(
        ("dataset", "latent", "prior", "test FID", *["paper"] * has_paper, f"{unit}s",
         "trials", "pruned", "failed", "time"),
        words=("dataset", "prior"),
        gives_way=("pruned", "time", "trials", "failed", f"{unit}s", "paper"),
        caption=f"test FID: mean ± standard deviation over {unit}s, lower is better",
    )  # fmt: skip
    for column in table.columns().values():
        for cell in column:
            view.add_row(*_row(cell, has_paper), style="bold" if table.is_best(cell) else None)
        view.end_section()
    return view


def _row(cell: Cell, has_paper: bool) -> tuple[Shown, ...]:
    stratum = cell.stratum
    return (
        stratum.dataset, str(stratum.latent_size), stratum.prior,
        Phrase((MISSING, *cell.status.split())) if cell.mean is None
        else seeded_phrase(fid_of_seeds(cell)),
        *([fid_text(paper_fid(stratum))] if has_paper else []),
        str(cell.num_seeds), str(len(cell.search)), str(cell.num_pruned), str(cell.num_failed),
        str(timedelta(seconds=round(cell.seconds))),
    )  # fmt: skip


def seeded_phrase(text: str) -> Phrase:
    """A FID's text, whose remark on seeds may stand below it.

    >>> seeded_phrase("24.10 ± 0.83 (2 of 3 seeds)").words
    ('24.10 ± 0.83', '(2 of 3 seeds)')
    """
    fid, *remark = text.split(" (", 1)
    return Phrase((fid, *(f"({words}" for words in remark)))
