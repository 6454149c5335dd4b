"""`study list` tells every study of a storage, writes nothing, and no broken one hides another."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces import load_space
from study.cli import main
from study.ledger import Ledger
from study.storage.layout import Layout, make_folders, open_layout
from study.storage.lock import hold
from tests.study.walk import Walk

Study = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Study:
    def command(*arguments: str, storage: Path = tmp_path) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["study", *arguments, "--storage", str(storage)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), (told.out + told.err).splitlines()

    return command


def begun(storage: Path, name: str, *, is_finished: bool = False, age: float = 0.0) -> Layout:
    """A study with a ledger, without training: one issued trial, or all that there are."""
    layout = open_layout(storage, name)
    make_folders(layout)
    spec = load_space("digits", [
        f"name={name}", "strata.latent_size=8", "budget.trials_per_stratum=2",
        "budget.max_epochs=2", "budget.first_rung=1", "confirm.num_seeds=2",
        "search.sampler.kind=random",
    ])  # fmt: skip
    layout.save_spec(spec)
    walk = Walk(spec, f"journal:{layout.journal}")
    if is_finished:
        walk.run()
    else:
        walk.ledger.next("ray-1")
    for path in (layout.spec, layout.journal):
        os.utime(path, (1.8e9 - age, 1.8e9 - age))
    return layout


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def test_studies_are_told_with_their_progress_and_nothing_is_written(
    study: Study, tmp_path: Path
) -> None:
    begun(tmp_path, "older", age=90_000)
    begun(tmp_path, "done", is_finished=True)
    before = everything(tmp_path)
    code, lines = study("list")
    assert code == 0
    assert lines[0].split() == ["study", "strata", "done", "state", "failed", "last", "change"]
    rows = {line.split()[0]: line.split()[1:5] for line in lines[2:]}
    assert rows == {"done": ["3", "18/18", "finished", "·"],
                    "older": ["3", "0/18", "stopped", "·"]}  # fmt: skip
    assert everything(tmp_path) == before


def test_the_newest_comes_first(study: Study, tmp_path: Path) -> None:
    for name, age in (("a", 500.0), ("b", -(10.0**9)), ("c", 900.0)):
        begun(tmp_path, name, age=age)
    _, lines = study("list")
    assert lines[2].split()[0] == "b"


def test_status_without_a_name_is_the_list(study: Study, tmp_path: Path) -> None:
    begun(tmp_path, "one")
    assert study("status") == study("list")


def test_a_study_that_runs_is_told(study: Study, tmp_path: Path) -> None:
    layout = begun(tmp_path, "one")
    with hold(layout.lock):
        _, lines = study("list")
    assert "running" in lines[2]


def test_what_is_no_study_hides_no_other(study: Study, tmp_path: Path) -> None:
    begun(tmp_path, "good")
    (tmp_path / "my notes").mkdir()
    torn = begun(tmp_path, "torn")
    torn.spec.write_text("strata: [")
    lost = begun(tmp_path, "lost")
    lost.journal.unlink()
    odd = begun(tmp_path, "odd")
    odd.settings.write_text("{")
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / ".hidden").mkdir()
    code, lines = study("list")
    assert code == 0
    assert lines[2].split()[0] == "good"
    told = {line.partition(":")[0] for line in lines[3:] if ":" in line}
    assert told == {"my notes", "torn", "lost", "odd"}
    assert len(lines) == 3 + 4


def test_a_storage_that_is_not_there_is_refused(study: Study, tmp_path: Path) -> None:
    code, lines = study("list", storage=tmp_path / "nowhere")
    assert code == 2
    assert "there is no storage" in lines[0]
    assert not (tmp_path / "nowhere").exists()


def test_a_storage_without_a_study_says_how_to_begin(study: Study, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    code, lines = study("list")
    assert code == 0
    assert "`study run digits` begins one" in lines[0]


@pytest.mark.parametrize("width", [60, 72, 80, 120])
def test_the_list_fits_the_terminal(width: int, tmp_path: Path) -> None:
    from rich.console import Console

    from study.run.study_list import list_studies

    begun(tmp_path, "a-study-with-quite-a-long-name-for-a-folder")
    console = Console(width=width, record=True, file=io.StringIO())
    list_studies(tmp_path, console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert "0/18" in "".join(lines)


LOADED = """
import sys
from pathlib import Path
from rich.console import Console
from study.run.study_list import list_studies
list_studies(Path(sys.argv[1]), Console(quiet=True))
print(sorted({"torch", "ray", "mlflow"} & set(sys.modules)))
"""


def test_listing_loads_neither_torch_nor_ray(tmp_path: Path) -> None:
    begun(tmp_path, "one")
    command = [sys.executable, "-c", LOADED, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_ledger_and_list_agree_on_what_ended(tmp_path: Path) -> None:
    from study.run.study_list import study_line

    layout = begun(tmp_path, "done", is_finished=True)
    facts = Ledger.read(f"journal:{layout.journal}", "done")
    tests = sum(len(stratum.tests) for stratum in facts.strata.values())
    assert study_line(layout).num_done == len(facts.trials) + tests
