"""Who may read data, as the API server itself sees it: the tokens it makes, the way it opens."""

import pytest
import yaml
from tests.apiserver.control_plane import REPOSITORY, ControlPlane
from tests.apiserver.kubectl import Kubectl, RefusedError

from tidemill.cli.cluster import Cluster, Place
from tidemill.cli.data import SERVICE, Data
from tidemill.data_api.readers import Readers
from tidemill.data_api.refusal import Refusal
from tidemill.kube.client import Client

SYSTEM = "tidemill-system"
ANNA = ("--as=anna", "--as-group=system:authenticated")
OPERATOR = (f"--as=system:serviceaccount:{SYSTEM}:tidemill-operator",)


@pytest.fixture
def account(kubectl: Kubectl, namespace: str) -> str:
    """A ServiceAccount as every namespace has one."""
    kubectl("create", "serviceaccount", "default", "-n", namespace)
    return namespace


async def test_the_plugins_token_is_the_namespaces_and_no_other_is(
    client: Client, plane: ControlPlane, kubectl: Kubectl, account: str
) -> None:
    place = Place(account, kubeconfig=str(plane.kubeconfig))
    token = Data(Cluster(place), place)._new_token()
    readers = Readers(client)
    assert await readers.namespace(token) == account
    # One that is made for the API server is as good for us as none.
    others = kubectl("create", "token", "default", "-n", account).strip()
    with pytest.raises(Refusal):
        await readers.namespace(others)
    broken = token[:-8] + "AAAAAAAA"
    with pytest.raises(Refusal):
        await readers.namespace(broken)
    # The plugin's is nothing to the API server, whatever the account may do there.
    with pytest.raises(RefusedError, match=r"logged in|[Uu]nauthorized"):
        kubectl("get", "--raw", "/api", "--token", token)


def may(kubectl: Kubectl, who: tuple[str, ...], *what: str) -> bool:
    try:
        kubectl("auth", "can-i", *what, *who)
    except RefusedError:
        return False
    return True


def test_everybody_reaches_the_one_port_and_the_operator_reviews(kubectl: Kubectl) -> None:
    if not kubectl("get", "namespace", SYSTEM, "--ignore-not-found"):
        kubectl("create", "namespace", SYSTEM)
    text = (REPOSITORY / "manifests/base/data-access.yaml").read_text()
    for body in yaml.safe_load_all(text):
        kubectl.apply(body)
    proxy = ("--subresource=proxy", "-n", SYSTEM)
    assert may(kubectl, ANNA, "get", f"services/{SERVICE}", *proxy)
    for verb in ("create", "update", "patch", "delete"):
        assert not may(kubectl, ANNA, verb, f"services/{SERVICE}", *proxy)
    for other in ("tidemill-data", "http:tidemill-data:8080", "http:tidemill-operator:8080"):
        assert not may(kubectl, ANNA, "get", f"services/{other}", *proxy)
    assert not may(kubectl, ANNA, "get", "services", *proxy)
    assert not may(kubectl, ANNA, "get", f"services/{SERVICE}", "-n", SYSTEM)
    reviews = "tokenreviews.authentication.k8s.io"
    assert may(kubectl, OPERATOR, "create", reviews)
    assert not may(kubectl, ANNA, "create", reviews)
