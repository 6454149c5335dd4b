"""A study from Python: its status, records, table, figures, configs and models.

    import study

    digits = study.open_study("digits")
    digits                              status and table, as a notebook shows them
    digits.table.to_pandas()
    digits.figures["fid"]
    digits.config("digits/flow/8")      the config that the search chose
    digits.model("digits/flow/8").sample(64)

Everything is read when it is asked for, also while the study runs.
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.console import Console

from search_spaces import StudySpec, did_you_mean
from study.ledger import Ledger
from study.record import TrialRecord, load_records
from study.run.progress import Progress
from study.storage.layout import Layout, ledger_url, open_layout
from study.storage.lock import holder
from study.tables.comparability import sound_table
from study.tables.grid import Grid, Row
from study.tables.grid_file import arrow_table
from study.tables.result import all_rows, results
from study.tables.table import Table
from trainables.config import TrialConfig
from trainables.error import InputError

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from study.report.figure import Picture


def open_study(name: str, storage: str | Path = "studies") -> "OpenedStudy":
    """A study of a storage, to look at.

    Args:
        name: its name.
        storage: the folder that holds it.

    Raises:
        InputError: there is no such study.
    """
    layout = open_layout(Path(storage), name)
    return OpenedStudy(layout, layout.load_spec())


@dataclass(frozen=True, slots=True)
class Status:
    """How far a study is.

    Attributes:
        num_done: trials and tests that ended.
        num_planned: how many there will be.
        running: who runs it; None where nobody does.
    """

    num_done: int
    num_planned: int
    running: str | None

    def __str__(self) -> str:
        by = f"run by {self.running}" if self.running else "not running"
        return f"{self.num_done} of {self.num_planned} trials and tests done, {by}"


@dataclass(frozen=True, slots=True)
class StudyTable:
    """The results of a study: a row for each stratum, then for each variant."""

    grid: Grid
    rows: list[Row]

    def to_arrow(self) -> pa.Table:
        """Every value with every digit."""
        return arrow_table(self.rows)

    def to_pandas(self) -> "pd.DataFrame":
        """The same for pandas."""
        return self.to_arrow().to_pandas()

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self) -> str:
        """What people read of it."""
        head = "".join(f"<th>{html.escape(header)}</th>" for header in self.grid.headers)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in texts)}</tr>"
            for texts in self.grid.texts()
        )
        caption = f"<p>{html.escape(self.grid.caption)}</p>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{caption}"


@dataclass(frozen=True, slots=True)
class StudyFigure:
    """A figure of the report."""

    picture: "Picture"

    @property
    def png(self) -> bytes:
        """The image.

        Raises:
            InputError: there is nothing to draw yet; the sentence says why.
        """
        if self.picture.png is None:
            raise InputError(self.picture.missing)
        return self.picture.png

    def to_arrow(self) -> pa.Table:
        """The values that it shows."""
        return arrow_table(self.picture.rows)

    def _repr_png_(self) -> bytes | None:
        return self.picture.png

    def __repr__(self) -> str:
        return f"{self.picture.title}: {self.picture.caption}"


class Figures(Mapping[str, StudyFigure]):
    """The figures of a study by name."""

    def __init__(self, pictures: list["Picture"]) -> None:
        """Holds figures that are drawn already."""
        self._figures = {picture.name: StudyFigure(picture) for picture in pictures}

    def __getitem__(self, name: str) -> StudyFigure:
        """A figure; an unknown name is an InputError that lists the known ones."""
        if name not in self._figures:
            raise InputError(
                f"there is no figure {name!r}{did_you_mean(name, self._figures)}; there are"
                f" {', '.join(self._figures)}"
            )
        return self._figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)


@dataclass(frozen=True, slots=True)
class SampledImages:
    """Images of a model: levels, of shape (number, channels, height, width)."""

    images: "Tensor"
    num_levels: int

    def _repr_png_(self) -> bytes:
        from trainables.training.image_grid import image_grid

        return image_grid(self.images.numpy(), self.num_levels)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A trained model of a study's export."""

    path: Path

    @property
    def module(self) -> Any:
        """The `trainables.vae.VAE` with its weights, on the CPU."""
        from study.export.export import load_export
        from study.export.sample import exported_model

        return exported_model(self.path, load_export(self.path))

    def sample(self, num_samples: int = 64, seed: int = 0) -> SampledImages:
        """Images from the prior.

        Args:
            num_samples: how many.
            seed: of the noise.
        """
        from study.export.sample import exported_samples

        images, image = exported_samples(self.path, num_samples, seed)
        return SampledImages(images, image.num_levels)


class OpenedStudy:
    """A study to look at; see the module.

    Attributes:
        layout: where it lies.
        spec: its question.
    """

    def __init__(self, layout: Layout, spec: StudySpec) -> None:
        """See `open_study`."""
        self.layout, self.spec = layout, spec

    @property
    def status(self) -> Status:
        """How far it is now."""
        facts = Ledger.read(ledger_url(self.layout), self.spec.name)
        progress = Progress(self.spec, facts, Console(quiet=True))
        running = holder(self.layout.lock)
        return Status(progress.num_done, progress.num_planned, str(running) if running else None)

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial as it stands now."""
        return load_records(self.layout.storage, self.spec.name)

    @property
    def table(self) -> StudyTable:
        """The results as they stand now."""
        table = self._table()
        return StudyTable(results(table, ()), all_rows(table))

    @cached_property
    def figures(self) -> Figures:
        """The figures of the report, drawn once."""
        from study.report.figure import draw_pictures

        return Figures(draw_pictures(self.spec, self._table(), self.layout.study))

    def config(self, stratum: str) -> TrialConfig:
        """The config that stands for a stratum: the tested one, else the best of its search.

        Args:
            stratum: its name, such as "digits/flow/8".

        Raises:
            InputError: there is no such stratum, or it has no complete trial yet.
        """
        cells = {str(cell.stratum): cell for cell in self._table().cells}
        if stratum not in cells:
            raise InputError(f"there is no stratum {stratum!r}{did_you_mean(stratum, cells)}")
        cell = cells[stratum]
        trial = cell.chosen[0] if cell.chosen else cell.best_trial
        if trial is None:
            raise InputError(f"{stratum} has no complete trial yet: {cell.status}")
        return TrialConfig.from_stored(trial.config)

    def model(self, stratum: str) -> OpenedModel:
        """The exported model of a stratum.

        Raises:
            InputError: it has not been exported.
        """
        path = self.layout.export / f"{stratum}.yaml"
        if not path.is_file():
            raise InputError(
                f"there is no exported model of {stratum!r}; `study export {self.spec.name}` makes"
                " those that can be"
            )
        return OpenedModel(path)

    def __repr__(self) -> str:
        return f"{self.spec.name}: {self.status}"

    def _repr_html_(self) -> str:
        """Status and table."""
        return f"<h3>{html.escape(repr(self))}</h3>{self.table._repr_html_()}"

    def _table(self) -> Table:
        return sound_table(self.spec, self.records)[0]
