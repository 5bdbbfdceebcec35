"""Who we are: tokens that rotate, certificates, and none at all."""

from datetime import timedelta
from pathlib import Path

import pytest
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from tidemill.kube.connection import Connection


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """Give a directory as mounted into a pod."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("a certificate")
    return tmp_path


def in_cluster(pod: Path) -> Connection:
    loader = InClusterConfigLoader(
        token_filename=str(pod / "token"),
        cert_filename=str(pod / "ca.crt"),
        environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"},
    )
    loader._token_refresh_period = timedelta(0)
    configuration = Configuration()
    loader.load_and_set(configuration)
    return Connection(configuration)


async def test_a_pod_speaks_for_its_service_account(pod: Path) -> None:
    connection = in_cluster(pod)
    assert connection.server == "https://10.0.0.1:443"
    assert connection.ca_file == str(pod / "ca.crt")
    assert (await connection.credentials()).headers() == {"Authorization": "Bearer first"}


async def test_a_rotated_token_is_read_again(pod: Path) -> None:
    connection = in_cluster(pod)
    (pod / "token").write_text("second")
    assert (await connection.credentials()).token == "second"


async def test_without_a_token_there_is_no_header() -> None:
    assert (await Connection(Configuration(host="http://x/")).credentials()).headers() == {}


async def test_the_server_has_no_slash_at_its_end() -> None:
    assert Connection(Configuration(host="http://x/k8s/")).server == "http://x/k8s"
