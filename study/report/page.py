"""The page of a report: one HTML file, its figures inside."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from search_spaces import StudySpec
from study.report.caption import ReportFacts
from study.report.figure import Picture
from study.report.summary import answer
from study.tables.grid import Grid
from study.tables.table import Table
from study.text import duration_text
from trainables.count import plural

# Which tables and figures stand under which heading, in this order; a table before its figures.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Results", ("table", "fid", "samples", "selections")),
    (
        "Differences",
        ("against", "claims", "comparisons", "elbo_comparisons", "variants", "classifier_ranks"),
    ),
    ("Across priors", ("fid_parts", "bounds", "rate_distortion", "collapse", "learning_curves")),
    ("Search", ("best_configs", "marginals", "importances", "rung_curves")),
    (
        "Soundness of the search",
        (
            "tuning",
            "tuning_curves",
            "luck",
            "budget",
            "waste",
            "rungs",
            "lost_winners",
            "failures",
        ),
    ),
)


def page_text(
    spec: StudySpec,
    table: Table,
    facts: ReportFacts,
    made_with: Sequence[tuple[str, str]],
    notes: Sequence[str],
    grids: Sequence[Grid],
    pictures: Sequence[Picture],
) -> str:
    """The page as HTML.

    Args:
        spec: the study's question.
        table: its table.
        facts: commit, versions and machine.
        made_with: how the table's numbers were made, as name and text.
        notes: what is left out, and why.
        grids: the tables, in no order.
        pictures: the figures, in no order.
    """
    environment = Environment(
        loader=PackageLoader("study.report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"duration": duration_text}
    environment.globals |= {"plural": plural}
    return environment.get_template("page.html.jinja").render(
        spec=spec,
        table=table,
        facts=facts,
        answer=" ".join(answer(table)),
        made_with=made_with,
        notes=notes,
        sections=_sections(table, grids, pictures),
    )


def _sections(
    table: Table, grids: Sequence[Grid], pictures: Sequence[Picture]
) -> list[tuple[str, list[Grid | Picture]]]:
    """The headings that have something to show, each with what stands under it."""
    known: dict[str, Grid | Picture] = {
        grid.name: grid for grid in grids if grid.rows or grid.missing
    }
    known |= {picture.name: picture for picture in pictures if table.cells}
    found = [
        (title, [known[name] for name in names if name in known]) for title, names in SECTIONS
    ]
    return [(title, parts) for title, parts in found if parts]
