import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.fid_evaluator import build_blank
from trainables.config import FIDConfig, ImageFormat
from trainables.error import InputError
from trainables.fid import inception_weights


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STUDY_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_inception_features_are_those_of_torch_fidelity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with monkeypatch.context() as patch:  # the library builds no network without weights
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        torch.save({}, tmp_path / "none.pth")
        network = FeatureExtractorInceptionV3(
            "x", ["2048"], feature_extractor_weights_path=str(tmp_path / "none.pth")
        )
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    evaluator = build_blank(
        FIDConfig(features="inception", num_samples=2100, weights=str(tmp_path / "weights.pth"))
    )
    images = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    features = evaluator._extractor.features(images)
    torch.testing.assert_close(features, network(images)[0])
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4), expected)
    assert "TensorFlow" in evaluator.protocol("test").resize


def test_inception_takes_rgb_only() -> None:
    config = FIDConfig(features="inception", num_samples=2100)
    with pytest.raises(InputError, match="RGB"):
        build_blank(config, format=ImageFormat(channels=1, size=32))


@pytest.mark.parametrize("way", ["option", "variable", "hub"])
def test_missing_weights_are_named_with_both_ways_out(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent.pth"
    if way == "variable":
        monkeypatch.setenv("STUDY_INCEPTION_WEIGHTS", str(absent))
    weights = str(absent) if way == "option" else None
    with pytest.raises(InputError) as caught:
        build_blank(FIDConfig(features="inception", num_samples=2100, weights=weights))
    hub = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    looked_for = hub if way == "hub" else absent
    for fact in (
        f"no Inception weights at {looked_for}",
        "fid.weights=PATH",
        "fid.features=classifier",
    ):
        assert fact in str(caught.value)


def test_the_option_goes_before_the_variable_and_the_variable_before_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    hub.parent.mkdir(parents=True)
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (hub, one, two):
        path.touch()
    assert inception_weights(None) == hub
    monkeypatch.setenv("STUDY_INCEPTION_WEIGHTS", str(one))
    assert inception_weights(None) == one
    assert inception_weights(str(two)) == two


def fake_download(content: bytes | OSError) -> Callable[..., None]:
    """torch's own, as far as it goes without a network: what comes is hashed, then kept."""

    def download(url: str, path: str, hash_prefix: str) -> None:
        if isinstance(content, OSError):
            raise content
        digest = hashlib.sha256(content).hexdigest()
        if not digest.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest}")')
        Path(path).write_bytes(content)

    return download


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(OSError("no route to host"), "no route to host"), (b"another file", "invalid hash value")],
)
def test_a_download_that_fails_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, complaint: str
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fake_download(content))
    with pytest.raises(InputError, match=complaint):
        inception_weights("download")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_weights_that_were_fetched_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fake_download(OSError("asked again")))
    there = tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    there.parent.mkdir()
    there.touch()
    assert inception_weights("download") == there


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (exit, (7,))


@pytest.mark.parametrize("content", ["text", "other tensors", "code", "bare pickle"])
def test_a_file_of_something_else_is_no_inception(content: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    match content:
        case "text":
            path.write_text("not found")
        case "other tensors":
            torch.save({"weight": torch.zeros(3)}, path)
        case "code":
            torch.save(Evil(), path)
        case "bare pickle":
            path.write_bytes(b"\x80\x02cposix\nsystem\n.")
    with pytest.raises(InputError, match="is not a file of Inception weights") as caught:
        build_blank(FIDConfig(features="inception", num_samples=2100, weights=str(path)))
    assert "\n" not in str(caught.value)
