"""Several models in one server on a real API server: what is made, what another list changes."""

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import pytest
from tests.apiserver.crd_objects import minimal
from tests.apiserver.shelf_rules import listed
from tests.unit.children.world import CONFIG, RUNNER, SERVER, FakeStore
from tests.unit.deployment.scene import digest

from tidemill.children import credentials
from tidemill.children.platform import Platform
from tidemill.deployment.asking import Asking
from tidemill.deployment.packages import Packages
from tidemill.deployment.reconcile import ModelDeploymentReconciler
from tidemill.deployment.said import Answer
from tidemill.engine.context import Context, utc_now
from tidemill.engine.key import Key
from tidemill.engine.queue import Queues
from tidemill.engine.waiters import Waiters
from tidemill.kube.client import Client
from tidemill.kube.events import Events
from tidemill.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, SECRETS
from tidemill.settings import Settings
from tidemill.store.config import StoreConfig
from tidemill.store.credentials import Policy, TemporaryStore
from tidemill.store.objects import ObjectStore

Body = dict[str, Any]
NAME = "several"


class NoPods:
    """There is no kubelet, and so nobody to ask."""

    async def ask(
        self, pods: Sequence[Mapping[str, Any]], port: int, names: Collection[str]
    ) -> tuple[Answer, ...]:
        """Ask nobody."""
        assert not pods, (port, names)
        return ()


def granted(config: StoreConfig, _: Policy, seconds: int) -> TemporaryStore:
    keys = StoreConfig(config.endpoint, config.region, config.bucket, "SHORT", "short")
    ends = utc_now().replace(year=utc_now().year + 1)
    assert seconds > 0
    return TemporaryStore(keys, ends)


@pytest.fixture
def reconciler(client: Client, monkeypatch: pytest.MonkeyPatch) -> ModelDeploymentReconciler:
    monkeypatch.setattr(credentials, "assume_role", granted)
    context = Context(
        client=client,
        events=Events(client, utc_now),
        queue=Queues({}),
        waiters=Waiters(),
        settings=Settings(all_namespaces=True),
    )
    store = cast("ObjectStore", FakeStore())
    platform = Platform(CONFIG, store, RUNNER, SERVER, "http://operator.test")
    asking = cast("Asking", NoPods())
    return ModelDeploymentReconciler(context, platform, Packages(store), asking)


def model(namespace: str, name: str, letter: str, **more: Any) -> Body:
    uri = f"s3://tidemill/models/{namespace}/r/{letter * 64}/"
    return {"name": name, "uri": uri, "digest": digest(letter), **more}


async def applied(client: Client, namespace: str, *models: Body) -> None:
    body = minimal("ModelDeployment", NAME, listed(*models))
    body["metadata"]["namespace"] = namespace
    await client.apply(MODEL_DEPLOYMENTS, body)


async def only(client: Client, resource: Any, namespace: str) -> Body:
    [found] = [
        one
        for one in await client.list(resource, namespace)
        if one["metadata"].get("ownerReferences")
    ]
    return found


@pytest.mark.usefixtures("kubectl")  # which has brought the definitions
async def test_a_list_is_served_and_another_one_makes_no_new_pods(
    client: Client, namespace: str, reconciler: ModelDeploymentReconciler
) -> None:
    key = Key("ModelDeployment", namespace, NAME)
    first = model(namespace, "a", "a", limits={"memory": "1Gi"})
    await applied(client, namespace, first, {"name": "b", "run": "not-there"})
    await reconciler.reconcile(key)
    before = await only(client, DEPLOYMENTS, namespace)
    secret = await only(client, SECRETS, namespace)
    live = await client.get(MODEL_DEPLOYMENTS, namespace, NAME)
    assert live is not None
    states = {one["name"]: one["reason"] for one in live["status"]["models"]}
    assert states == {"a": "Loading", "b": "WaitingForRun"}
    assert live["status"]["modelsReady"] == "0/2"

    await reconciler.reconcile(key)
    again = await only(client, SECRETS, namespace)
    assert again["metadata"]["resourceVersion"] == secret["metadata"]["resourceVersion"]

    await applied(client, namespace, model(namespace, "c", "c"))
    await reconciler.reconcile(key)
    after = await only(client, DEPLOYMENTS, namespace)
    assert after["spec"] == before["spec"]
    assert json.loads(after["metadata"]["annotations"]["tidemill.dev/models"]) == {
        "models": [model(namespace, "c", "c")]
    }
    data = (await only(client, SECRETS, namespace))["data"]
    told = json.loads(base64.b64decode(data["models.json"]))
    assert told == {"models": [model(namespace, "c", "c")]}
    live = await client.get(MODEL_DEPLOYMENTS, namespace, NAME)
    assert live is not None
    assert [one["name"] for one in live["status"]["models"]] == ["c"], "what is gone is not told"


@pytest.mark.usefixtures("kubectl")
async def test_the_longest_list_is_noted_at_its_deployment(
    client: Client, namespace: str, reconciler: ModelDeploymentReconciler
) -> None:
    """So long a note leaves room for others, and is told again where the Secret is lost."""
    key = Key("ModelDeployment", namespace, NAME)
    prefix = f"s3://tidemill/models/{namespace}/"
    uri = prefix + "x" * (2047 - len(prefix)) + "/"
    begins = "-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"
    longest = f"{begins}{'x' * 426}-----END PUBLIC KEY-----"
    more = {"uri": uri, "verification": {"publicKeys": [longest] * 8}}
    models = [{**model(namespace, f"m{n}", "a"), **more} for n in range(32)]
    await applied(client, namespace, *models)
    await reconciler.reconcile(key)
    first = await only(client, SECRETS, namespace)
    name = first["metadata"]["name"]
    await client.delete(SECRETS, namespace, name)
    body = minimal("ModelDeployment", NAME, listed(*models, suspend=True))
    body["metadata"]["namespace"] = namespace
    await client.apply(MODEL_DEPLOYMENTS, body)
    await reconciler.reconcile(key)
    again = await only(client, SECRETS, namespace)
    assert again["data"]["models.json"] == first["data"]["models.json"]
    assert len(base64.b64decode(first["data"]["models.json"])) > 190 * 1024
