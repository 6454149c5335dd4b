"""MLflow's own server on a storage, for this machine only, opened at a study's comparison."""

import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import NoReturn

from study.storage.layout import Layout, open_layout, tracking_uri
from study.tracking.address import shown_uri
from study.tracking.view import view_path
from trainables.error import InputError

PATIENCE = 120.0


def serve(storage: Path, port: int, study: str | None = None, *, browse: bool = False) -> NoReturn:
    """Becomes MLflow's server on 127.0.0.1, so that what ends this process ends the server.

    Args:
        storage: the folder that holds the studies.
        port: where to listen.
        study: which to open; by default the one that ran last.
        browse: whether to open it in the browser, too.

    Raises:
        InputError: the storage has no study yet, or not this one; or a server shows it.
    """
    layout = open_layout(storage, study or "any")
    where = tracking_uri(layout)
    if where != layout.mlflow_uri:
        raise InputError(f"{study} is shown by MLflow at {shown_uri(where)}; open that address")
    if not _database(layout).is_file():
        raise InputError(f"{layout.storage} holds no MLflow store yet; `study run` makes one")
    address = f"http://127.0.0.1:{port}"
    page = address + view_path(_experiment(layout, study))
    print(f"{page}\n(Ctrl-C ends it)", flush=True)
    if browse:
        # A process of its own, since this one becomes the server.
        subprocess.Popen([sys.executable, "-m", "study.tracking.ui", address, page])
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", layout.mlflow_uri]
    command += ["--workers", "1", "--serve-artifacts"]
    command += ["--artifacts-destination", str(layout.storage / "mlartifacts")]
    # No job runners: nothing of ours asks for them, and they would outlive the server.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, environment)


def open_when_ready(address: str, page: str) -> bool:
    """Opens the page in the user's browser once the server answers; whether it did."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return webbrowser.open(page)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    return False


def _experiment(layout: Layout, study: str | None) -> str:
    """The id of a study's experiment; read without MLflow, which takes seconds to load."""
    query = (
        "SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active'"
        " ORDER BY last_update_time DESC"
    )
    try:
        connection = sqlite3.connect(f"file:{_database(layout)}?mode=ro", uri=True)
        try:
            found = [(str(key), str(name)) for key, name in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(
            f"the MLflow store {_database(layout)} is damaged ({error}); move it away, and `study"
            " sync NAME` makes it anew"
        ) from error
    known = [(key, name) for key, name in found if (layout.storage / name / "spec.yaml").is_file()]
    for key, name in known:
        if study in (None, name):
            return key
    names = ", ".join(name for _, name in known) or "none"
    raise InputError(f"the MLflow store has no study {study or 'yet'!r}; there is: {names}")


def _database(layout: Layout) -> Path:
    return layout.storage / "mlflow.db"


if __name__ == "__main__":
    open_when_ready(*sys.argv[1:])
