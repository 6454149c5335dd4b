"""A checkpoint is whole and its own config's, or it is not there."""

import json
import shutil
from pathlib import Path

import pytest

from trainables.checkpoint import (
    KEPT,
    MANIFEST,
    Checkpoint,
    claim,
    commit,
    config_hash,
    damaged_checkpoints,
    discard_old,
    is_fenced,
    newest_checkpoint,
    read_checkpoint,
    read_history,
    seal,
    write_atomically,
)
from trainables.config import TrialConfig
from trainables.measurement import Measurement

CONFIG = TrialConfig.model_validate(
    {"data": {"dataset": "digits"}, "latent_size": 8, "prior": {"kind": "flow"}, "max_epochs": 9}
)
OTHER = CONFIG.model_copy(update={"seed": 1})
FILES = {"weights.safetensors": b"\x00\x01weights", "state.json": b"{}", "history.json": b"[]"}


def make(trial: Path, attempt: int, epoch: int, config: TrialConfig = CONFIG) -> Checkpoint:
    folder = trial / str(attempt) / f"epoch-{epoch:06d}"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return commit(folder, epoch, config)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return make(tmp_path, 1, 5)


def test_a_checkpoint_reads_back(checkpoint: Checkpoint) -> None:
    assert read_checkpoint(checkpoint.folder) == checkpoint
    assert (checkpoint.epoch, checkpoint.config_hash) == (5, config_hash(CONFIG))


def test_without_its_manifest_there_is_no_checkpoint(checkpoint: Checkpoint) -> None:
    (checkpoint.folder / MANIFEST).unlink()
    assert read_checkpoint(checkpoint.folder) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"3", b'{"epoch": 5}', b"\xff",
                                     b'{"epoch": "x", "config_hash": "", "files": {}}',
                                     b'{"epoch": 5, "config_hash": "", "files": []}'])  # fmt: skip
def test_a_torn_manifest_is_none(checkpoint: Checkpoint, content: bytes) -> None:
    (checkpoint.folder / MANIFEST).write_bytes(content)
    assert read_checkpoint(checkpoint.folder) is None


def test_every_length_of_a_torn_manifest_is_none(checkpoint: Checkpoint) -> None:
    path = checkpoint.folder / MANIFEST
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_checkpoint(checkpoint.folder) is None


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_is_found(checkpoint: Checkpoint, name: str) -> None:
    path = checkpoint.folder / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert read_checkpoint(checkpoint.folder) is None
    path.write_bytes(whole)
    assert read_checkpoint(checkpoint.folder) == checkpoint


def test_a_changed_epoch_is_found(checkpoint: Checkpoint) -> None:
    path = checkpoint.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"epoch": 7}))
    assert read_checkpoint(checkpoint.folder) is None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["removed", "emptied", "longer"])
def test_every_damaged_file_is_found(checkpoint: Checkpoint, name: str, damage: str) -> None:
    path = checkpoint.folder / name
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else FILES[name] + b"\0")
    assert read_checkpoint(checkpoint.folder) is None


def test_a_folder_that_is_not_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "nowhere") is None
    assert newest_checkpoint(tmp_path / "nowhere") is None


def test_the_newest_epoch_wins(tmp_path: Path) -> None:
    for epoch in (2, 10, 9):
        make(tmp_path, 1, epoch)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.epoch == 10


def test_the_newest_epoch_wins_over_a_higher_attempt(tmp_path: Path) -> None:
    best = make(tmp_path, 1, 8)
    make(tmp_path, 2, 4)
    assert newest_checkpoint(tmp_path) == best


def test_of_one_epoch_the_highest_attempt_wins(tmp_path: Path) -> None:
    for attempt in (9, 10, 2):
        make(tmp_path, attempt, 4)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.folder.parent.name == "10"


def test_damaged_checkpoints_are_passed_over(tmp_path: Path) -> None:
    sound = make(tmp_path, 1, 2)
    for attempt, epoch in ((1, 4), (2, 8)):
        damaged = make(tmp_path, attempt, epoch)
        (damaged.folder / "state.json").write_bytes(b"{ }")
    (tmp_path / "3" / "epoch-000009").mkdir(parents=True)
    assert newest_checkpoint(tmp_path) == sound


def test_a_checkpoint_of_another_config_does_not_count(tmp_path: Path) -> None:
    own = make(tmp_path, 1, 2)
    make(tmp_path, 2, 8, OTHER)
    assert newest_checkpoint(tmp_path, config_hash(CONFIG)) == own


def test_a_trial_without_a_valid_checkpoint_has_none(tmp_path: Path) -> None:
    shutil.rmtree(make(tmp_path, 1, 2).folder)
    make(tmp_path, 1, 3, OTHER)
    assert newest_checkpoint(tmp_path, config_hash(CONFIG)) is None


def test_equal_configs_have_one_hash_and_different_ones_do_not() -> None:
    again = TrialConfig.model_validate_json(CONFIG.model_dump_json())
    assert config_hash(again) == config_hash(CONFIG) != config_hash(OTHER)


def test_the_newest_two_of_an_attempt_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 4, 8, 16):
        make(tmp_path, 1, epoch)
    make(tmp_path, 2, 3)
    discard_old(tmp_path / "1")
    left = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert left == ["epoch-000008", "epoch-000016"]
    assert len(left) == KEPT
    assert (tmp_path / "2" / "epoch-000003" / MANIFEST).exists()


def test_discarding_leaves_what_is_kept_valid(tmp_path: Path) -> None:
    kept = [make(tmp_path, 1, epoch) for epoch in (1, 2, 4)][-KEPT:]
    discard_old(tmp_path / "1")
    assert [read_checkpoint(checkpoint.folder) for checkpoint in kept] == kept


def test_earlier_attempts_go_once_enough_later_checkpoints_are_there(tmp_path: Path) -> None:
    for attempt, epoch in ((1, 1), (1, 2), (2, 3), (3, 4)):
        make(tmp_path, attempt, epoch)
    discard_old(tmp_path / "3")
    assert len(list(tmp_path.glob("*/epoch-*"))) == 4, "the last one alone may be damaged"
    make(tmp_path, 3, 5)
    discard_old(tmp_path / "3")
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/epoch-*"))
    assert left == ["3/epoch-000004", "3/epoch-000005"]


def test_what_another_attempt_has_beyond_this_one_stays(tmp_path: Path) -> None:
    ahead = make(tmp_path, 1, 9)
    for epoch in (1, 2, 3):
        make(tmp_path, 2, epoch)
    discard_old(tmp_path / "2")
    assert newest_checkpoint(tmp_path) == ahead


def test_a_checkpoint_within_an_epoch_lies_between_its_neighbours(tmp_path: Path) -> None:
    make(tmp_path, 1, 5)
    folder = tmp_path / "1" / "epoch-000005-000120"
    shutil.copytree(tmp_path / "1" / "epoch-000005", folder)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.folder == folder
    assert newest_checkpoint(tmp_path) != make(tmp_path, 1, 6) == newest_checkpoint(tmp_path)


def test_of_a_trial_that_ended_the_newest_valid_checkpoint_stays(tmp_path: Path) -> None:
    make(tmp_path, 1, 1)
    sound = make(tmp_path, 1, 2)
    (make(tmp_path, 2, 4).folder / "state.json").write_bytes(b"{ }")
    seal(tmp_path)
    assert list(tmp_path.glob("*/epoch-*")) == [sound.folder]
    assert newest_checkpoint(tmp_path) == sound


def test_without_a_valid_checkpoint_sealing_removes_nothing(tmp_path: Path) -> None:
    for epoch in (1, 2):
        (make(tmp_path, 1, epoch).folder / "state.json").write_bytes(b"{ }")
    seal(tmp_path)
    assert len(list(tmp_path.glob("*/epoch-*"))) == 2


def test_damage_is_told_from_what_was_never_finished(tmp_path: Path) -> None:
    make(tmp_path, 1, 1)
    damaged = make(tmp_path, 1, 2)
    (damaged.folder / "state.json").write_bytes(b"{ }")
    (make(tmp_path, 1, 3).folder / MANIFEST).unlink()
    assert damaged_checkpoints(tmp_path) == [damaged.folder]


def test_a_later_attempt_or_the_end_fences_an_earlier_one(tmp_path: Path) -> None:
    for attempt in ("9", "10"):
        claim(tmp_path / attempt)
    assert is_fenced(tmp_path / "9")
    assert not is_fenced(tmp_path / "10")
    seal(tmp_path)
    assert is_fenced(tmp_path / "10")


def test_the_history_reads_back(checkpoint: Checkpoint) -> None:
    history = [
        Measurement(
            epoch=epoch, rate=1.0, distortion=2.0, elbo=-3.0, bits_per_dim=0.1 + 0.2,
            train_rate=1.0, train_distortion=2.0, kl_weight=0.5, seconds=0.1,
            val_fid=fid, best_epoch=best,
        )
        for epoch, fid, best in ((1, None, None), (2, 1 / 3, 1))
    ]  # fmt: skip
    text = json.dumps([measurement.as_dict() for measurement in history])
    (checkpoint.folder / "history.json").write_text(text)
    assert read_history(checkpoint.folder) == history


# Whole or not at all


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"newer"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(step, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_until_a_write_is_done_the_old_content_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    seen: list[bytes] = []
    monkeypatch.setattr("os.fsync", lambda _: seen.append(path.read_bytes()))
    write_atomically(path, b"new")
    assert seen == [b"old"]
