"""Fixtures: one server of each make for all tests of this folder, a workbench for each test.

Every test that asks for a server, or for what stands on one, runs against each make. What only
MinIO can do is marked `only_minio` with what that is, and has a test of what is done without it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.minio_server import minio_server
from tests.contract.postgres_server import PostgresServer, postgres_server
from tests.contract.redis_server import RedisServer, redis_server
from tests.contract.s3_server import S3Server
from tests.contract.versity_server import versity_server
from tests.contract.workbench import Workbench

from tidemill.store.objects import ObjectStore

SERVERS = {"minio": minio_server, "versitygw": versity_server}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    only = metafunc.definition.get_closest_marker("only_minio")
    names = ["minio"] if only else list(SERVERS)
    for fixture in ("server", "own_server"):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, names, indirect=True)


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def own_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    """One that a test may stop as it likes."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def store(server: S3Server) -> ObjectStore:
    return ObjectStore(server.config)


@pytest.fixture
def workbench(server: S3Server, tmp_path: Path) -> Workbench:
    return Workbench(server, tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """One that a test may stop as it likes."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def redis(redis_process: RedisServer) -> RedisServer:
    """One for all tests, emptied for each."""
    redis_process.client().flushall()
    return redis_process
