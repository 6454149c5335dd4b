"""MLflow's own server on a storage, for this machine only."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from study.layout import open_layout
from trainables.error import InputError


def serve(storage: Path, port: int) -> NoReturn:
    """Becomes MLflow's server on 127.0.0.1, so that what ends this process ends the server.

    Raises:
        InputError: the storage has no study yet.
    """
    layout = open_layout(storage, "any")
    database = layout.storage / "mlflow.db"
    if not database.is_file():
        raise InputError(f"{layout.storage} holds no MLflow store yet; `study run` makes one")
    print(f"http://127.0.0.1:{port}  (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", layout.mlflow_uri]
    command += ["--workers", "1", "--serve-artifacts"]
    command += ["--artifacts-destination", str(layout.storage / "mlartifacts")]
    # No job runners: nothing of ours asks for them, and they would outlive the server.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, environment)
