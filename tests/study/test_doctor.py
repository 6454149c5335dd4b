"""`study doctor` names what is missing and never breaks on it."""

import io
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from rich.console import Console

from study import doctor

CHECKS = (
    "Python", "packages", "CPU", "memory", "GPU", "storage", "Inception weights", "data sets",
    "commit", "Ray token",
)  # fmt: skip


def examined(storage: Path) -> tuple[int, str]:
    """The exit code, and what is printed on a terminal wide enough for one line a check."""
    out = io.StringIO()
    return doctor.examine(storage, Console(file=out, width=500)), out.getvalue()


def line(output: str, check: str) -> str:
    return next(line for line in output.splitlines() if line.startswith(f"│ {check} "))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without weights and tokens."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("STUDY_INCEPTION_WEIGHTS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_every_check_is_shown_and_nothing_is_left_behind(elsewhere: Path) -> None:
    code, output = examined(elsewhere / "deep" / "studies")
    assert code == 0
    for check in CHECKS:
        assert line(output, check)
    assert "problem" not in output
    assert "digits` can run here" in output
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_cuts_nothing(elsewhere: Path, width: int) -> None:
    out = io.StringIO()
    storage = elsewhere / ("long-name-of-a-folder-" * 4)
    doctor.examine(storage, Console(file=out, width=width))
    assert "…" not in out.getvalue()
    assert all(check in out.getvalue() for check in ("Python", "storage", "GPU"))


@pytest.mark.parametrize("below", ["", "studies"])
def test_a_storage_that_is_a_file_is_a_problem(elsewhere: Path, below: str) -> None:
    (elsewhere / "file").touch()
    code, output = examined(elsewhere / "file" / below)
    assert code == 1
    assert "problem" in line(output, "storage")
    assert "mend first: storage" in output


def test_too_little_room_is_a_problem(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**6))
    code, output = examined(elsewhere)
    assert code == 1
    assert "Make room" in line(output, "storage")


def test_a_missing_package_is_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["rich", "no-such-package-here>=2"])
    code, output = examined(elsewhere)
    assert code == 1
    assert "no-such-package-here is missing" in line(output, "packages")
    assert "uv sync" in line(output, "packages")


def test_an_old_version_is_named_with_what_is_needed(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["ray[tune]>=9999", "rich>=1"])
    code, output = examined(elsewhere)
    assert code == 1
    assert "needs >=9999" in line(output, "packages")
    assert "rich" not in line(output, "packages")


def test_a_broken_check_reports_itself(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("no /proc here\nand more")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    code, output = examined(elsewhere)
    assert code == 1
    assert "cannot look: OSError: no /proc here " in line(output, "memory")
    assert "and more" not in output
    assert "ok" in line(output, "storage")


def test_gpus_are_named_with_their_memory(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = SimpleNamespace(name="Fast One", total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    _, output = examined(elsewhere)
    assert "Fast One (24 GiB), Fast One (24 GiB)" in line(output, "GPU")


def test_missing_weights_come_with_both_remedies(elsewhere: Path) -> None:
    code, output = examined(elsewhere)
    shown = line(output, "Inception weights")
    assert code == 0
    assert "weights-inception-2015-12-05-6726825d.pth" in shown
    assert "fid.weights=PATH" in shown
    assert "fid.features=classifier" in shown


def test_weights_are_found_by_the_variable(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = elsewhere / "inception.pth"
    monkeypatch.setenv("STUDY_INCEPTION_WEIGHTS", str(weights))
    assert "note" in line(examined(elsewhere)[1], "Inception weights")
    weights.touch()
    assert "ok" in line(examined(elsewhere)[1], "Inception weights")


def test_a_token_is_found_but_never_shown(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "get-auth-token --generate" in line(examined(elsewhere)[1], "Ray token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret-value")
    _, output = examined(elsewhere)
    assert "ok" in line(output, "Ray token")
    assert "secret-value" not in output
