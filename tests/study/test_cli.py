import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from search_spaces import StudySpec
from study.cli import main
from study.ledger import Ledger
from study.run.outcome import Outcome
from study.storage.layout import Layout
from study.tables.table import Table
from trainables.suggestion import Suggestion

BAD = {
    "a misspelt field": (["run", "digits", "budget.max_epoch=3"], "max_epochs"),
    "a reversed interval": (
        ["run", "digits", "domains.all.optimizer.learning_rate={kind: uniform, low: 2, high: 1}"],
        "low < high",
    ),
    "an unknown prior": (["run", "digits", "strata.prior=difusion"], "diffusion"),
    "an unknown space": (["run", "digit"], "digits"),
    "an unknown data set": (["run", "digits", "strata.dataset=cifar1"], "cifar10"),
    "a negative latent size": (["show", "digits", "strata.latent_size=-4"], "strata.latent_size"),
    "a name with dots": (["run", "digits", "--name", "../x"], "'../x'"),
    "a name with a slash": (["status", "a/b"], "'a/b'"),
    "a source without a glob": (["run", "digits", "--source", "cifar10"], "NAME=GLOB"),
    "a source of another set": (["run", "digits", "--source", "cifar10=x"], "no such data set"),
    "images that are not here": (["run", "table1", "strata.dataset=cifar10"], "--source"),
    "no Parquet": (
        ["run", "table1", "strata.dataset=cifar10", "--source", "cifar10=*_images"],
        "not a Parquet file",
    ),
    "a study that is not there": (["status", "nothing"], "no study 'nothing'"),
    "a report of nothing": (["report", "nothing"], "no study 'nothing'"),
    "a file that is no export": (["reproduce", "train_images"], "train_images"),
    "an export with overrides": (["reproduce", "train_images", "seed=1"], "runs as it is"),
    "no table of the paper": (["reproduce", "digits"], "the paper has no value"),
    "a table to nowhere": (["export", "digits", "--table"], "needs --to FOLDER"),
    "a confirm of nothing": (["confirm", "digits"], "--seeds +N, or --retest"),
    "a second look without a reason": (
        ["confirm", "digits", "--retest", "digits/flow/8"],
        "needs --why",
    ),
    "a reason that is blank": (
        ["confirm", "digits", "--retest", "digits/flow/8", "--why", " "],
        "needs --why",
    ),
    "a reason for nothing": (["confirm", "digits", "--seeds", "+1", "--why", "x"], "--retest"),
    "no more seeds": (["confirm", "digits", "--seeds", "x"], "+2"),
    "no store to show": (["ui"], "no MLflow store"),
    "Inception on digits": (["run", "digits", "fid.features=inception"], "classifier"),
    "a storage that is a file": (["run", "digits", "--storage", "train_images"], "is a file"),
    "a distance to nothing": (["fid", "digits", "nowhere/x"], "nowhere/x is not a folder"),
    "a distance to no split": (["fid", "digits", "digits:tests"], "train, validation, test"),
    "a distance to no set": (["fid", "digits", "cifa"], "did you mean cifar10"),
    "a distance to no Parquet": (["fid", "digits", "x*.parquet"], "no file matches"),
    "a distance of too few": (["fid", "digits", "digits:test", "--num-images", "20"], "33"),
    "a distance of more than there are": (
        ["fid", "digits:train", "digits:test", "--num-images", "400"],
        "has 359 images",
    ),
    "a distance of no export": (["fid", "digits", "x.yaml"], "x.yaml cannot be read"),
    "a distance to no images": (["fid", "digits", "."], "holds no images"),
    "a distance without weights": (
        ["fid", "digits", "digits:test", "--features", "inception"],
        "take at least 2049",
    ),
    "a classifier of nothing": (
        ["fid", "digits", "digits:test", "--classifier-dataset", "nothing"],
        "'nothing'",
    ),
    "a set without a source": (["data", "prepare", "cifar"], "did you mean cifar10"),
    "a source that is no set of images": (
        ["data", "prepare", "mine", "--source", "train_images"],
        "not a folder, a zip file",
    ),
    "a crop of what is not a face": (
        ["data", "prepare", "cifar10", "--crop", "148"],
        "cifar10 is taken as it is",
    ),
    "a set that is called like a folder": (["data", "prepare", "data"], "cannot name a study"),
}


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["study", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("case", BAD)
def test_wrong_usage_is_one_sentence_and_exit_code_two_and_writes_nothing(
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, word = BAD[case]
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        (tmp_path / f"{split}_images").write_text("no Parquet")
    assert call(arguments, monkeypatch) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert word in err
    assert "Traceback" not in out + err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["test_images", "train_images"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["wish.yaml cannot be read"]),
        ("- 3", ["wish.yaml needs to hold"]),
        ("optimizer.learning_rate: 1e-3", ["needs a stratum, one of digits/gaussian/8"]),
        ("stratum: digits/flow/8\noptimizer.learning_rat: 1e-3", ["did you mean learning_rate?"]),
        ("stratum: digits/flow/8\noptimizer.learning_rate: 9", ["between 0.0005 and 0.005"]),
    ],
)
def test_a_config_that_cannot_be_enqueued_is_refused_before_the_study_begins(
    text: str | None,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "wish.yaml").write_text(text)
    monkeypatch.setattr("study.run.launch._found", lambda layout, spec, *_: spec)
    assert call(["run", "digits", "--enqueue", "wish.yaml"], monkeypatch) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    assert not (tmp_path / "studies").exists()


def test_enqueued_files_come_first_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rate in (("one", 1e-3), ("two", 2e-3)):
        wish = f"stratum: digits/flow/8\noptimizer.learning_rate: {rate}\n"
        (tmp_path / f"{name}.yaml").write_text(wish)
    asked: list[Suggestion] = []

    def run(layout: Layout, spec: StudySpec, ledger: Ledger, *_: Any) -> Outcome:
        issued = (ledger.next(str(number)) for number in range(6))
        asked.extend(suggestion for suggestion in issued if suggestion is not None)
        return Outcome(Table(()), is_finished=False, exit_code=0)

    monkeypatch.setattr("study.run.launch._found", lambda layout, spec, *_: spec)
    monkeypatch.setattr("study.run.launch._run", run)
    command = ["run", "digits", "strata.latent_size=8", "strata.prior=flow"]
    enqueued = ["--enqueue", "one.yaml", "--enqueue", "two.yaml"]
    assert call([*command, *enqueued], monkeypatch) == 0
    rates = [suggestion.config.optimizer.learning_rate for suggestion in asked]
    assert rates[:2] == [1e-3, 2e-3]
    assert len(asked) == 6
    assert call([*command, *enqueued], monkeypatch) == 0, "the same command, run again"
    assert len(asked) == 12
    assert asked[6:] == [s.model_copy(update={"attempt": 2}) for s in asked[:6]]


def test_a_full_disk_is_one_sentence_and_exit_code_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "ledger.journal")

    monkeypatch.setattr("study.run.launch.run_study", full)
    assert call(["run", "digits"], monkeypatch) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: the disk is full")
    assert "make room" in err
    assert err.count("\n") == 1


def test_show_tells_strata_domains_and_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["show", "table1"], monkeypatch) == 0
    out = capsys.readouterr().out
    for word in ("18 strata", "prior.beta_schedule.kind", "32 trials a stratum", "epochs"):
        assert word in out


def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "run confirm retry stop show status report export reproduce sample ui doctor data fid"
    for name in names.split():
        assert call([name, "--help"], monkeypatch) == 0
        assert "Usage" in capsys.readouterr().out
