"""The confirmed model of each stratum in MLflow's registry: a version a study, `best` the best.

Stored as code, config and safetensors, so that loading it runs no pickle.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from math import inf
from pathlib import Path

# Read when MLflow is asked for something.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Else the lock file and settings of a project that lies in the working folder go into the model.
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")

import numpy as np
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema, TensorSpec
from rich.console import Console

import trainables
from study.export.export import Export, beside, load_export
from study.storage.layout import Layout, tracking_uri
from study.tables.protocol import protocol_hash
from study.text import fid_text
from study.tracking.store import STORE_ERRORS
from trainables.config import ImageFormat
from trainables.error import InputError
from trainables.file import file_hash

with warnings.catch_warnings():
    # Of type hints in its own code.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")
    import mlflow.pyfunc

    from study.tracking import generator

PACKAGES = ("mlflow", "torch", "zuko", "pydantic", "jaxtyping", "numpy", "safetensors", "pandas")
BEST, FOLDER = "best", "model"
EXAMPLE = {"num_samples": [2], "seed": [0]}


def register_study(layout: Layout, console: Console, uri: str | None = None) -> None:
    """Registers every exported model of a study, as far as MLflow answers.

    Nothing else depends on it, so what goes wrong is told in one sentence.

    Args:
        layout: the study's.
        console: where to tell.
        uri: MLflow's tracking URI; by default that of the study.
    """
    note = register_models(uri or tracking_uri(layout), sorted(layout.export.rglob("*.yaml")))
    if note:
        told = f"{note}; `study sync {layout.name}` tries again"
        console.print(told, soft_wrap=True, highlight=False, markup=False)


def register_models(uri: str, paths: Iterable[Path]) -> str | None:
    """Registers exported models; what kept one from it, if anything did.

    Args:
        uri: MLflow's tracking URI.
        paths: exported YAML files.
    """
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        client = MlflowClient(tracking_uri=uri)
        for path in paths:
            register_model(client, path)
    except STORE_ERRORS as error:
        return f"MLflow at {uri} does not answer: {_first_line(error)}"
    except InputError as error:
        return str(error)
    return None


def register_model(client: MlflowClient, path: Path) -> ModelVersion | None:
    """Makes the model of an exported file a version of its stratum's registered model.

    A version of the same study with the same content stays as it is; with another content it is
    replaced. The alias `best` goes to the lowest mean validation FID among versions whose images
    and FID protocol are the same; where those differ from what is asked for now, to the newest.

    Args:
        client: of the tracking server.
        path: an exported YAML file, with its weights beside it.

    Returns:
        The version; None where the export has no weights.

    Raises:
        InputError: the export is damaged, the store has no run of its weights, or does not answer.
    """
    export = load_export(path)
    if export.weights is None:
        return None
    try:
        return _register(client, path, export)
    except STORE_ERRORS as error:
        raise InputError(
            f"the model of {export.title} is not registered in MLflow: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def model_name(export: Export) -> str:
    """The registered model's name; MLflow allows no slash.

    It is that of the stratum, so that every study of it adds a version.
    """
    return export.title.replace("/", "-").replace(" ", "-")


def save_generator(path: Path, export: Export, folder: Path) -> None:
    """Writes a model that `mlflow.pyfunc.load_model` reads with nothing but what it names.

    Args:
        path: the exported YAML file.
        export: its content.
        folder: where to; made here.

    Raises:
        InputError: a file that the export names is missing or another.
    """
    assert export.weights is not None
    image = export.config.data.format
    plugins = {
        f"{generator.PLUGIN}-{place}": str(beside(path, name, digest))
        for place, (name, digest) in enumerate(sorted(export.plugins.items()))
    }
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "config.json")
        config.write_text(export.config.model_dump_json())
        weights = beside(path, export.weights, export.weights_sha256)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(generator.__file__)),
            artifacts={generator.WEIGHTS: str(weights), generator.CONFIG: str(config), **plugins},
            code_paths=[str(Path(trainables.__file__).parent)],
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
            signature=_signature(image),
            input_example=EXAMPLE,
        )


def _signature(image: ImageFormat) -> ModelSignature:
    drawn = TensorSpec(np.dtype(np.uint8), (-1, image.size, image.size, image.channels), "images")
    return ModelSignature(
        inputs=Schema([ColSpec("long", "num_samples"), ColSpec("long", "seed")]),
        outputs=Schema([drawn]),
    )


def _register(client: MlflowClient, path: Path, export: Export) -> ModelVersion:
    name, tags = model_name(export), _tags(path, export)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"Draws images; prior {export.title}.")
    own = [v for v in _versions(client, name) if v.tags.get("study") == export.study]
    same = [v for v in own if v.tags.get("content") == tags["content"]]
    found = same[0] if same else _new_version(client, path, export, name, tags)
    for old in own:
        if old.version != found.version:
            client.delete_model_version(name, old.version)
    _point_at_best(client, name, tags["comparable"], found)
    return found


def _new_version(
    client: MlflowClient, path: Path, export: Export, name: str, tags: Mapping[str, str]
) -> ModelVersion:
    run = _run_of_weights(client, export)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, FOLDER)
        save_generator(path, export, folder)
        client.log_artifacts(run.info.run_id, str(folder), FOLDER)
    return client.create_model_version(
        name,
        source=f"{run.info.artifact_uri}/{FOLDER}",
        run_id=run.info.run_id,
        tags=dict(tags),
        description=_description(export),
    )


def _description(export: Export) -> str:
    fid = fid_text(export.mean, export.standard_deviation)
    return (
        f"{export.title} of study {export.study}: test FID {fid} over {len(export.seeds)} seeds;"
        " these weights are of the seed with the best validation FID. `predict` takes"
        " `num_samples` and `seed`, and returns uint8 images, N × height × width × channels."
    )


def _run_of_weights(client: MlflowClient, export: Export) -> Run:
    """The run of the seed with the best validation FID; a store made anew has other run ids."""
    values = export.parts.get("val_fid", export.test_fid)
    seed = export.seeds[values.index(min(values))]
    experiment = client.get_experiment_by_name(export.study)
    wanted = (
        f"params.seed = '{seed}' and tags.stratum = '{export.stratum}' and tags.phase = 'confirm'"
    )
    runs = client.search_runs([experiment.experiment_id], wanted) if experiment else []
    # Configs that are confirmed beside each other share their seeds, but no result.
    result = export.test_fid[export.seeds.index(seed)]
    runs = sorted(runs, key=lambda run: abs(run.data.metrics.get("test_fid", inf) - result))
    if not runs:
        raise InputError(
            f"the model of {export.title} is not registered in MLflow, which has no run of its"
            f" seed {seed}"
        )
    return runs[0]


def _tags(path: Path, export: Export) -> dict[str, str]:
    values = export.parts.get("val_fid", ())
    protocol = {k: v for k, v in export.protocol.items() if k != "reference"}
    return {
        "study": export.study,
        "stratum": export.stratum,
        "content": file_hash(path),
        "val_fid": repr(sum(values) / len(values)) if values else "",
        "comparable": protocol_hash(protocol),
    }


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{name}'", max_results=1000))


def _point_at_best(client: MlflowClient, name: str, comparable: str, newest: ModelVersion) -> None:
    """Selection never sees the test split, and FIDs of other protocols are not compared."""
    rivals = [
        v for v in _versions(client, name)
        if v.tags.get("comparable") == comparable and v.tags.get("val_fid")
    ]  # fmt: skip
    best = min(rivals, key=lambda v: float(v.tags["val_fid"]), default=newest)
    client.set_registered_model_alias(name, BEST, best.version)
