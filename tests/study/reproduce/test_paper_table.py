"""The paper's own table beside ours."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search_spaces import StudySpec
from study.reproduce import paper_table
from study.reproduce.paper_table import reproduce_paper
from study.run.outcome import Outcome
from study.storage.layout import open_layout
from study.tables.table import build_table
from tests.study.conftest import MakeRecords

FEW = ["strata.dataset=cifar10", "strata.latent_size=40"]


def test_the_papers_values_stand_beside_ours_with_both_orders(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    synthetic_records: MakeRecords,
) -> None:
    asked: list[StudySpec] = []

    def run(spec: StudySpec, **options: Any) -> Outcome:
        layout = open_layout(options["storage"], spec.name)
        layout.study.mkdir(parents=True)
        layout.save_spec(spec)
        asked.append(spec)
        return Outcome(build_table(spec, synthetic_records(spec, num_seeds=2)), True, 0)

    monkeypatch.setattr(paper_table, "run_study", run)
    console = Console(width=140)
    code = reproduce_paper("table1_paper", FEW, 2, tmp_path, "local", (), console)
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert code == 0
    assert asked[0].confirm.num_seeds == 2
    flow = lines["cifar10/flow/40"]
    assert "167.6" in flow
    assert flow[-2:] == ["1", "1"]
    ours, difference = float(flow[1]), float(flow[-3].replace("−", "-"))
    assert difference == pytest.approx(ours - 167.6, abs=0.1)
    assert lines["cifar10/diffusion/40"][-2:] == ["2", "3"]
    assert lines["claim:"][1] == "C4:"
