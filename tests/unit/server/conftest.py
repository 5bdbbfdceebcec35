"""Servers that many tests ask: one process per model, started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with Bucket() as running:
        yield running


def _running(model: packages.Model, folder: Path) -> Iterator[Server]:
    with Bucket() as bucket:
        digest = packages.publish(bucket, model.files())
        with serve(bucket, digest, folder, TIDEMILL_GRPC_PORT="0") as server:
            yield server.ready()


@pytest.fixture(scope="session")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(packages.logistic(), tmp_path_factory.mktemp("logistic"))


@pytest.fixture(scope="session")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(packages.boosted(), tmp_path_factory.mktemp("boosted"))


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(packages.texts(), tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(packages.regression(), tmp_path_factory.mktemp("regression"))


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As the runner packs them: with the labels, examples, and a card."""
    yield from _running(packages.named(), tmp_path_factory.mktemp("named"))
