"""What people read of a study: one HTML file that opens offline, its table as CSV and Markdown.

It reads records only, so that it may be written on any laptop and while the study runs.
"""

import base64
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from search_spaces import StudySpec
from study.number import duration_text, fid_text, nats_text, plural
from study.record import TrialRecord
from study.report.answer import answer
from study.report.digest import best_configs, budget, caption_facts, failures, fid_parts, variants
from study.report.paper import SOURCE, paper_fid
from study.report.plot import plot_fid, plot_learning_curves, plot_rate_distortion, plot_rungs
from study.report.sample_grid import plot_samples
from study.report.table import Table, build_table
from study.report.table_file import csv_text, markdown_text
from study.report.verdict import claims, comparisons

_DPI = 200  # two pixels for one on the page
_PLOTS: tuple[tuple[Callable[[Table], Figure | None], str, str, str], ...] = (
    (
        plot_fid,
        "Test FID by latent size and prior",
        "Lower is better. Small marks are single seeds, large marks their means with the standard"
        " deviation over seeds; the dashed line is the same model before training. Where values"
        " span a wide range the axis is logarithmic.",
        "No trial has a test FID yet.",
    ),
    (
        plot_learning_curves,
        "Learning curves",
        "Validation ELBO after each epoch: a curve that ends higher fits the images better. Strong"
        " lines are confirm seeds, faint ones search trials, which may end early at a rung; the"
        " first epochs and diverged trials may lie below the panel.",
        "No trial has finished an epoch yet.",
    ),
    (
        plot_rungs,
        "Validation FID at the rungs",
        "Lower is better. Each line is a trial, with a dot where its FID was measured; a line that"
        " ends in a cross was stopped there because its peers were ahead.",
        "No trial has reached a rung yet.",
    ),
    (
        plot_rate_distortion,
        "Rate against distortion",
        "Each mark is a trial at its best validation ELBO, large for confirm seeds and small for"
        " search trials. Grey lines join points of equal ELBO; towards the lower left it is"
        " higher, and along a line a prior buys less distortion with more rate.",
        "No trial has finished an epoch yet.",
    ),
)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Where the numbers come from, beside the records.

    Attributes:
        commit: the checkout that ran the study; empty if unknown.
        versions: of the packages that the numbers depend on, by name.
        device: what trained the models ("cpu", or a GPU's name).
        cpu_model: the processor's name.
        num_threads: threads of one trial.
        generated_at: when this report was written.
    """

    commit: str
    versions: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    cpu_model: str = ""
    num_threads: int = 1
    generated_at: datetime = field(default_factory=lambda: datetime.now().astimezone())


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page, or the sentence that stands in its place.

    Attributes:
        title: its heading.
        caption: how to read it, in one or two sentences.
        missing: what is said where there is nothing to draw.
        source: the image as a data URI, or None.
    """

    title: str
    caption: str
    missing: str
    source: str | None


def write_report(
    folder: Path, spec: StudySpec, records: Sequence[TrialRecord], facts: ReportFacts
) -> Path:
    """Writes report.html, table.csv and table.md below `<folder>/report`; the path of the first.

    Args:
        folder: the study's folder, to which the records' folders are relative.
        spec: the study's question.
        records: all its trials, finished or not.
        facts: commit, versions and machine.

    Raises:
        ValueError: test FIDs of one data set were measured in different ways.
    """
    table = build_table(spec, records)
    target = folder / "report"
    target.mkdir(parents=True, exist_ok=True)
    _replace(target / "table.csv", csv_text(table))
    _replace(target / "table.md", markdown_text(table))
    return _replace(target / "report.html", _html(folder, spec, table, facts))


def _replace(path: Path, text: str) -> Path:
    """Writes aside and renames: a reader sees the old file or the new one, never a half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8", newline="")
    return aside.replace(path)


def _html(folder: Path, spec: StudySpec, table: Table, facts: ReportFacts) -> str:
    environment = Environment(
        loader=PackageLoader("study.report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"duration": duration_text, "fid": fid_text, "nats": nats_text}
    environment.globals |= {"paper_fid": paper_fid, "plural": plural}
    return environment.get_template("page.html.jinja").render(
        spec=spec,
        table=table,
        facts=facts,
        answer=" ".join(answer(table)),
        caption_facts=caption_facts(spec, table, facts.commit, facts.versions),
        has_paper=any(paper_fid(cell.stratum) is not None for cell in table.cells),
        is_running=any(cell.num_running for cell in table.cells),
        paper_source=SOURCE,
        pictures=[*_pictures(table), _samples(table, folder)],
        grids=[
            claims(spec, table), comparisons(table), variants(table), fid_parts(table),
            best_configs(spec, table), budget(table), failures(table),
        ],
    )  # fmt: skip


def _pictures(table: Table) -> list[Picture]:
    return [
        Picture(title, caption, missing, _data_uri(plot(table)))
        for plot, title, caption, missing in _PLOTS
    ]


def _samples(table: Table, folder: Path) -> Picture:
    return Picture(
        "Samples",
        "Images decoded from draws of each prior, from one confirm seed of the stratum's best"
        " config (or its best search trial, where none is confirmed yet); not hand-picked.",
        "No trial has left a grid of samples yet.",
        _data_uri(plot_samples(table, folder)),
    )


def _data_uri(figure: Figure | None) -> str | None:
    if figure is None:
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
