"""The registered model: a version a study, `best` by validation, no pickle, the logged grid."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from safetensors.torch import load_file, save_file

from search_spaces import Stratum, dump_yaml, load_space
from study.export import Export, load_export
from study.storage.environment import current_environment
from study.tracking.registered_model import (
    model_name,
    register_model,
    register_models,
    save_generator,
)
from trainables.file import file_hash
from trainables.training.image_grid import image_grid
from trainables.training.sampling import first_images, sample_images
from trainables.vae import build_vae

STRATUM = Stratum("digits", "diffusion", 4)
NAME = "digits-diffusion-4"
WITHOUT_TRAINABLES = "import sys; sys.modules['ray'] = sys.modules['study'] = None"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)  # artifacts of an experiment made without a place for them
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_experiment("one", artifact_location=(tmp_path / "artifacts").as_uri())
    return client


def write_export(folder: Path, study: str = "one", val_fid: float = 9.0) -> Path:
    config = load_space("digits").trial_config(STRATUM, {"prior.beta_schedule.num_steps": 25})
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "4.safetensors"
    save_file(build_vae(config).state_dict(), weights)
    export = Export(
        format=2, study=study, stratum=str(STRATUM), config=config, seeds=(1,), test_fid=(9.0,),
        mean=9.0, parts={"val_fid": (val_fid,)}, protocol={"features": "classifier"},
        environment=current_environment(1).as_dict(), 
        weights=weights.name, weights_sha256=file_hash(weights),
    )  # fmt: skip
    path = folder / "4.yaml"
    path.write_text(dump_yaml(export.model_dump(mode="json")))
    return path


def with_run(client: MlflowClient, study: str = "one") -> str:
    """A run of the seed that the weights are of, and its id."""
    experiment = client.get_experiment_by_name(study)
    where = experiment.experiment_id if experiment else client.create_experiment(study)
    tags = {"stratum": str(STRATUM), "phase": "confirm"}
    run_id = str(client.create_run(where, tags=tags).info.run_id)
    client.log_param(run_id, "seed", 1)
    return run_id


def versions(client: MlflowClient) -> dict[str, str]:
    found = client.search_model_versions(f"name = '{NAME}'")
    return {version.tags["study"]: str(version.version) for version in found}


def best(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias(NAME, "best").tags["study"])


def test_a_study_has_one_version_however_often_it_is_registered(
    client: MlflowClient, tmp_path: Path
) -> None:
    run_id = with_run(client)
    path = write_export(tmp_path / "one")
    first, second = register_model(client, path), register_model(client, path)
    assert first is not None
    assert second is not None
    assert (first.version, versions(client)) == (second.version, {"one": str(first.version)})
    assert first.run_id == run_id
    third = register_model(client, write_export(tmp_path / "one", val_fid=8.0))
    assert third is not None
    assert versions(client) == {"one": str(third.version)} != {"one": str(first.version)}


def test_best_is_the_lowest_validation_fid(client: MlflowClient, tmp_path: Path) -> None:
    for study, val_fid, expected in (("a", 9.0, "a"), ("b", 7.0, "b"), ("c", 8.0, "b")):
        with_run(client, study)
        register_model(client, write_export(tmp_path / study, study, val_fid))
        assert best(client) == expected
    assert set(versions(client)) == {"a", "b", "c"}


def test_it_is_code_and_tensors_and_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    path = write_export(tmp_path / "one")
    save_generator(path, load_export(path), tmp_path / "model")
    suffixes = {file.suffix for file in (tmp_path / "model").rglob("*") if file.is_file()}
    # py.typed is empty.
    assert suffixes <= {".py", ".json", ".yaml", ".txt", ".safetensors", ".typed", ""}
    requirements = (tmp_path / "model" / "requirements.txt").read_text()
    assert "torch==" in requirements
    assert "ray" not in requirements
    signature = mlflow.models.get_model_info(str(tmp_path / "model")).signature
    assert signature.inputs.input_names() == ["num_samples", "seed"]
    assert signature.outputs.inputs[0].shape == (-1, 8, 8, 1)
    assert signature.outputs.inputs[0].type == np.uint8


def test_few_images_are_the_first_of_many(tmp_path: Path) -> None:
    config = load_space("digits", ["fid.num_samples=700"]).trial_config(STRATUM, {})
    model = build_vae(config)
    all_of_a_fid = sample_images(model, 700, 17)
    for num in (1, 64, 500, 600, 700):
        assert (first_images(model, num, config) == all_of_a_fid[:num]).all()
    assert (first_images(model, 64, config, seed=1) != all_of_a_fid[:64]).any()


def drawn(model: Path, out: Path, python: str = sys.executable, cwd: Path | None = None) -> dict:
    """What a process draws that can import neither Ray nor the rest of the program."""
    code = (
        f"{WITHOUT_TRAINABLES}\n"
        "import json, mlflow, numpy\n"
        f"model = mlflow.pyfunc.load_model({str(model)!r})\n"
        "images = model.predict({'num_samples': [64], 'seed': [0]})\n"
        f"numpy.save({str(out)!r}, images)\n"
        "import trainables\n"
        "print(json.dumps({'trainables': trainables.__file__}))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [python, "-c", code]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict = json.loads(done.stdout.splitlines()[-1])
    return found


def grid_of(path: Path) -> bytes:
    """The grid as a trial logs it: the first images of its FID."""
    export = load_export(path)
    assert export.weights is not None
    model = build_vae(export.config)
    model.load_state_dict(load_file(path.with_name(export.weights)))
    num_samples = export.config.fid.num_samples
    levels = sample_images(model, num_samples, 17)[:64]
    return image_grid(levels.numpy(), 17)


def test_a_fresh_process_draws_the_logged_grid(client: MlflowClient, tmp_path: Path) -> None:
    with_run(client)
    path = write_export(tmp_path / "one")
    version = register_model(client, path)
    assert version is not None
    source = Path(version.source.removeprefix("file://"))
    drawn(source, tmp_path / "images.npy", cwd=tmp_path)
    images = np.load(tmp_path / "images.npy")
    assert (images.shape, images.dtype) == ((64, 8, 8, 1), np.uint8)
    assert image_grid(images.transpose(0, 3, 1, 2), 256) == grid_of(path)


def test_a_server_that_is_down_costs_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path = write_export(tmp_path / "one")
    note = register_models("http://127.0.0.1:9", [path, path])
    assert note is not None
    assert note.startswith("the model of digits/diffusion/4 is not registered in MLflow")
    assert "\n" not in note


def test_a_run_that_the_store_lacks_costs_a_sentence(client: MlflowClient, tmp_path: Path) -> None:
    path = write_export(tmp_path / "one")
    note = register_models(f"sqlite:///{tmp_path / 'mlflow.db'}", [path])
    assert note is not None
    assert note.endswith("has no run of its seed 1")
    assert versions(client) == {}


def test_a_variant_has_a_model_of_its_own(tmp_path: Path) -> None:
    export = load_export(write_export(tmp_path / "one"))
    assert model_name(export) == NAME
    assert model_name(export.model_copy(update={"variant": "wide"})) == f"{NAME}-wide"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_fresh_environment_draws_the_logged_grid(tmp_path: Path) -> None:
    path = write_export(tmp_path / "one")
    model = tmp_path / "model"
    save_generator(path, load_export(path), model)
    python = fresh_environment(tmp_path / "venv", model / "requirements.txt")
    found = drawn(model, tmp_path / "images.npy", python, cwd=tmp_path)
    assert found["trainables"].startswith(str(model))
    images = np.load(tmp_path / "images.npy")
    assert image_grid(images.transpose(0, 3, 1, 2), 256) == grid_of(path)


def fresh_environment(folder: Path, requirements: Path) -> str:
    """An interpreter with these packages alone."""
    uv = shutil.which("uv")
    python = str(folder / "bin" / "python")
    make = [uv, "venv", "-q", "--python"] if uv else [sys.executable, "-m", "venv"]
    make += [sys.executable] if uv else []
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip"]
    install += [] if uv else ["install"]
    subprocess.run([*make, str(folder)], check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [*install, "-r", str(requirements)], capture_output=True, text=True, timeout=550
    )
    unreachable = ("connect", "resolve", "dns", "timed out", "NewConnectionError")
    if done.returncode and any(word in done.stderr for word in unreachable):
        pytest.skip(f"no package index can be reached: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return python
