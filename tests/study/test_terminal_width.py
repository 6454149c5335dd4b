"""What a terminal shows of a study is whole at any width from 60 columns on."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live

from search_spaces import Stratum, StudySpec, load_space
from study.data.inventory import list_datasets
from study.ledger import Ended
from study.record import TrialRecord
from study.reproduce.paper_table import _beside
from study.run.progress import Progress
from study.tables.table import build_table, render_table
from study.tables.variant import render_effects
from tests.study.conftest import make_records
from tests.study.made_up import confirm_seeds
from tests.trainables.pictures import Pictures
from trainables.data.preparation import prepare_dataset
from trainables.measurement import Measurement
from trainables.suggestion import Suggestion

WIDTHS = (60, 72, 80, 100, 120, 200)
PROGRESS = {
    "stratum", "search", "pruned", "failed", "confirm", "tested", "best FID", "trial: epoch",
}  # fmt: skip
RESULTS = {
    "dataset", "latent", "prior", "test FID", "paper", "seeds", "repeats", "trials", "pruned",
    "failed", "time",
}  # fmt: skip
EFFECTS = {
    "dataset", "latent", "prior", "variant", "test FID", "seeds", "difference", "95 % interval",
    "FID is", "by",
}  # fmt: skip

DATASETS = {"name", "train", "validation", "test", "size", "channels", "labels", "fingerprint"}
BESIDE = {"stratum", "ours", "paper", "difference", "rank ours", "rank paper"}


def terminal(width: int, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, record=True,
        legacy_windows=False, highlight=False,
    )  # fmt: skip


def shown(renderable: RenderableType, width: int) -> list[str]:
    console = terminal(width)
    console.print(renderable)
    return console.export_text().splitlines()


def measurement(epoch: int, fid: float | None = None) -> Measurement:
    return Measurement(
        epoch=epoch, rate=9.0, distortion=5.0, elbo=-14.0, bits_per_dim=3.0, train_rate=9.0,
        train_distortion=5.0, kl_weight=1.0, seconds=0.3, val_fid=fid, best_epoch=epoch,
    )  # fmt: skip


def suggestion(spec: StudySpec, stratum: Stratum, number: int) -> Suggestion:
    config = spec.trial_config(stratum, {}, seed=number)
    return Suggestion(
        phase="search", stratum=str(stratum), number=number, attempt=1, config=config
    )


def busy(spec: StudySpec, console: Console, num_running: int) -> Progress:
    """Every stratum has pruned, failed and running trials; the last one waits."""
    progress = Progress(spec, None, console)
    for place, stratum in enumerate(spec.searches()[:-1]):
        for number in range(90, 96 + num_running):
            trial = suggestion(spec, stratum, number)
            progress.began(f"{stratum}{number}", trial)
            progress.measured(trial, [measurement(100 + place, 1234.5 + place)])
            if number < 96:
                ended = Ended("FAIL" if number == 90 else "PRUNED", "a long reason " * 20, "lost")
                progress.ended(trial, ended, None)
    return progress


def table1(num_repeats: int) -> StudySpec:
    return load_space("table1", [f"search.num_repeats={num_repeats}"])


def words_of(lines: Iterable[str]) -> set[str]:
    """The words of some lines, without the counts of what has no room and the list of columns."""
    told = (line for line in lines if not line.startswith("not shown at this width: "))
    counted = (re.sub(r"and \d+ more|\d+ running", "", line) for line in told)
    return {word.strip(",─") for line in counted for word in line.replace("/", " ").split()}


def check(
    view: Callable[[], RenderableType], width: int, headers: set[str], title: str = "FID"
) -> list[str]:
    """The lines that are shown; headers and words are those of a terminal of any width."""
    lines = shown(view(), width)
    assert all(cell_len(line) <= width for line in lines)
    top = next(line for line in lines if title in line)
    for header in sorted(headers, key=len, reverse=True):
        top = top.replace(header, "")
    assert not top.strip(), "a header is not whole"
    assert words_of(lines) <= words_of(shown(view(), 1000)), "a word is not whole"
    return lines


def test_a_terminal_of_200_columns_shows_every_column_of_progress() -> None:
    progress = busy(table1(1), terminal(200), 8)
    lines = shown(progress.table(), 200)
    assert all(header in lines[0] for header in PROGRESS)
    assert "more" not in "".join(lines)
    assert lines[-2].rstrip().endswith("#103: 116")


@pytest.mark.parametrize("num_running", [0, 1, 16])
@pytest.mark.parametrize("num_repeats", [1, 2])
@pytest.mark.parametrize("width", WIDTHS)
def test_progress_is_whole_at_any_width(width: int, num_repeats: int, num_running: int) -> None:
    spec = table1(num_repeats)
    progress = busy(spec, terminal(width), num_running)
    lines = check(progress.table, width, PROGRESS)
    for stratum, row in list(progress.rows.items())[:-1]:
        line = next(line for line in lines if line.split()[:1] == [str(stratum)])
        assert f"{row.best_fid:.2f}" in line
        assert f"6/{spec.budget.trials_per_stratum}" in line


def live_view(progress: Progress) -> RenderableType:
    live = progress.showing()
    assert isinstance(live, Live)
    return live.get_renderable()


@pytest.mark.parametrize("num_repeats", [1, 2])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [10, 24, 60])
def test_the_live_table_is_no_taller_than_the_terminal_and_says_what_it_leaves_out(
    height: int, width: int, num_repeats: int
) -> None:
    console = terminal(width, height)
    progress = busy(table1(num_repeats), console, 4)
    lines = console.render_lines(live_view(progress))
    assert len(lines) <= height
    text = "\n".join("".join(part.text for part in line) for line in lines)
    assert "best FID" in text
    assert "/" in text.splitlines()[-1]
    assert "done" in text
    num_shown = sum(f"\n{stratum} " in text for stratum in progress.rows)
    num_left = len(progress.rows) - num_shown
    assert (f"and {num_left} more: " in text) == (num_left > 0)


def test_a_short_terminal_shows_first_what_runs() -> None:
    spec = table1(1)
    console = terminal(100, 12)
    progress = Progress(spec, None, console)
    stratum = spec.searches()[-1]
    progress.began("a", suggestion(spec, stratum, 0))
    text = "".join(
        part.text for line in console.render_lines(live_view(progress)) for part in line
    )
    assert str(stratum) in text
    assert "not begun" in text


@pytest.mark.parametrize("num_running", [0, 8])
def test_an_event_is_one_line_where_there_is_no_terminal(num_running: int) -> None:
    out = io.StringIO()
    spec = table1(1)
    busy(spec, Console(file=out, width=140), num_running)
    lines = out.getvalue().splitlines()
    assert len(lines) == 17 * 6
    assert all("a long reason" in line and "FID" in line for line in lines)


def test_a_reason_is_told_as_it_is_in_one_line() -> None:
    out = io.StringIO()
    spec = table1(1)
    progress = Progress(spec, None, Console(file=out, width=140))
    trial = suggestion(spec, spec.searches()[0], 0)
    progress.began("a", trial)
    progress.ended(
        trial, Ended("FAIL", r"shape [3, 4] :bug:" + "\nand C:\\[x]", "exception"), None
    )
    assert r"(exception: shape [3, 4] :bug: and C:\[x])" in out.getvalue()
    assert out.getvalue().count("\n") == 1


def strata_of_long_words(spec: StudySpec) -> Iterator[TrialRecord]:
    """Some strata have failed seeds, some a long status, and the rest nothing."""
    for place, stratum in enumerate(spec.cells()[:14]):
        fids = (1234.5 + place, 1301.25, 1250.0)
        for record in confirm_seeds(stratum, fids):
            if place % 3 == 0 and record.number == 2:
                yield replace(record, state="FAIL", value=None, test=None)
            elif place % 3 == 1:
                yield replace(record, state="RUNNING", value=None, test=None)
            else:
                yield record


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_a_study_is_whole_at_any_width(width: int) -> None:
    spec = load_space("table1", ["budget.trials_per_stratum=1"])
    search = [
        replace(record, phase="search", test=None, attributes={}, cost=replace(
            record.cost, seconds=123456.0
        ))
        for stratum in spec.cells()[:14]
        for record in confirm_seeds(stratum, (1234.5,))
    ]  # fmt: skip
    table = build_table(spec, [*search, *strata_of_long_words(spec)])
    lines = check(lambda: render_table(table), width, RESULTS)
    text = "\n".join(lines)
    for cell in table.cells:
        if cell.mean is not None:
            assert f"{cell.mean:.1f} ± {cell.standard_deviation:.1f}" in text
    if width == 200:
        assert all(header in text for header in RESULTS - {"repeats"})
        assert "(2 of 3 seeds)" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_repeats_is_whole_at_any_width(width: int) -> None:
    spec = load_space("digits_repeated", ["search.num_repeats=5"])
    check(lambda: render_table(build_table(spec, make_records(spec))), width, RESULTS)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_variants_is_whole_at_any_width(width: int) -> None:
    spec = load_space("ablation_published", ["strata.dataset=cifar10", "strata.latent_size=200"])
    records = [
        replace(record, config={"seed": record.number})
        for stratum in spec.cells()
        for place, name in enumerate(spec.variants_of(stratum))
        for record in confirm_seeds(
            stratum, (1234.5 + 9 * place, 1301.0, 1180.0), slot=name, attributes={"variant": name}
        )
    ]
    table = build_table(spec, records)
    text = "\n".join(check(lambda: render_effects(table), width, EFFECTS))
    for cell in table.variants:
        assert str(cell.variant) in text
        assert f"{cell.mean:.1f} ± {cell.standard_deviation:.1f}" in text
    if width == 200:
        assert all(header in text for header in EFFECTS)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_papers_table_beside_ours_is_whole_at_any_width(width: int) -> None:
    spec = load_space("table1_paper")
    fids = (1234.5, 1301.0)
    records = [r for stratum in spec.cells() for r in confirm_seeds(stratum, fids)]
    table = build_table(spec, records)
    lines = check(lambda: _beside(table), width, BESIDE, title="ours")
    assert sum("1267.8 ± 47.0" in line for line in lines) == len(table.cells)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with two prepared sets, one of them with a long name."""
    storage = tmp_path_factory.mktemp("storage")
    paths = [*(f"train/{n:02}.png" for n in range(20)), *(f"test/{n}.png" for n in range(5))]
    tree = Pictures.write_tree(storage / "tree", *paths)
    for name in ("mine", "faces_of_many_people"):
        prepare_dataset(name, str(tree), storage / "data")
    return storage


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_data_sets_is_whole_at_any_width(width: int, prepared: Path) -> None:
    console = terminal(width)
    list_datasets(prepared, console)
    lines = console.export_text().splitlines()
    end = next(at for at, line in enumerate(lines) if line.strip() == "faces_of_many_people")
    table = lines[:end]
    assert all(cell_len(line) <= width for line in table)
    top = table[0]
    for header in sorted(DATASETS, key=len, reverse=True):
        top = top.replace(header, "")
    assert not top.strip(), "a header is not whole"
    for name in ("mine", "faces_of_many_people"):
        row = next(line.split() for line in table if line.split()[:1] == [name])
        assert "18" in row
        assert "5" in row
        assert re.fullmatch("[0-9a-f]{12}", row[-1])
    is_wide = all(header in table[0] for header in DATASETS)
    assert is_wide or "not shown at this width: " in "".join(table)
    assert is_wide or width < 100
