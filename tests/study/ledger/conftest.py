"""Ledgers on every kind of storage.

Nothing is trained here: a worker without a model (`tests.study.walk`) takes trials through `next`,
`report` and `close` as the driver does, and remembers what it was told.
"""

from pathlib import Path

import pytest

from tests.study.lasting_storage import LASTING, storage_url


@pytest.fixture(autouse=True)
def _quick(no_waiting_for_the_disk: None) -> None:
    """All of these write a lot."""


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return f"journal:{tmp_path / 'ledger.journal'}"


@pytest.fixture(params=["memory", *LASTING])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every kind of storage; the promises are the same."""
    return storage_url(request, tmp_path, request.param)


@pytest.fixture(params=LASTING)
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The storages that outlive their driver."""
    return storage_url(request, tmp_path, request.param)
