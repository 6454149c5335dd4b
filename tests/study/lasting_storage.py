"""Storages for the ledger, by URL, each fresh; PostgreSQL by a server of the tests' own."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Url = Callable[[str], str]
LASTING = ["journal", "sqlite", "postgresql"]
_SERVER_USER = "postgres"


def storage_url(request: pytest.FixtureRequest, folder: Path, kind: str) -> str:
    """The URL of a new storage of this kind."""
    if kind == "postgresql":
        create: Callable[[], str] = request.getfixturevalue("postgresql")
        return create()
    return {
        "memory": "memory:",
        "journal": f"journal:{folder / 'ledger.journal'}",
        "sqlite": f"sqlite:///{folder / 'ledger.db'}",
    }[kind]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """A server that listens on a socket file alone; makes a database at each call."""
    psycopg = pytest.importorskip("psycopg", reason="needs psycopg, the extra `postgresql`")
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="ledger-postgresql-"))
    prefix = _as_server_user(folder)
    data, log = folder / "data", folder / "log"
    control = [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(log)]
    trust = ["-A", "trust", "-U", _SERVER_USER, "--no-sync"]
    try:
        _call([*prefix, str(binaries / "initdb"), "-D", str(data), *trust])
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        _call([*control, "-o", options, "start"])

        def create() -> str:
            name = f"ledger_{uuid.uuid4().hex}"
            where = f"host={folder} user={_SERVER_USER} dbname=postgres"
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute(f"create database {name}")
            return f"postgresql://{_SERVER_USER}@/{name}?host={folder}"

        yield create
        _call([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """The folder of the server's programs, else the test is skipped."""
    places = [found for name in ("pg_ctl", "initdb") if (found := shutil.which(name))]
    folders = [Path(place).resolve().parent for place in places]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    pytest.skip("needs PostgreSQL's initdb, pg_ctl and postgres")


def _as_server_user(folder: Path) -> list[str]:
    """What a command of the server begins with: it refuses to run as root."""
    if os.geteuid() != 0:
        return []
    try:
        shutil.chown(folder, _SERVER_USER, _SERVER_USER)
    except LookupError:
        pytest.skip(f"needs a user {_SERVER_USER!r}, since PostgreSQL refuses to run as root")
    if shutil.which("runuser") is None:
        pytest.skip("needs runuser, since PostgreSQL refuses to run as root")
    return ["runuser", "-u", _SERVER_USER, "--"]


def _call(command: list[str]) -> None:
    # Into a file: the server keeps the pipes of who started it open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, stdout=output, stderr=output, cwd="/", check=False)
        output.seek(0)
        assert done.returncode == 0, f"{' '.join(command)} failed: {output.read()}"
