"""Fixtures: one MinIO for all tests of this folder, a workbench for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.minio_server import MinioServer, minio_server
from tests.contract.workbench import Workbench

from tidemill.store.objects import ObjectStore


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with minio_server(tmp_path_factory.mktemp("minio")) as running:
        yield running


@pytest.fixture
def store(server: MinioServer) -> ObjectStore:
    return ObjectStore(server.config)


@pytest.fixture
def workbench(server: MinioServer, tmp_path: Path) -> Workbench:
    return Workbench(server, tmp_path)
