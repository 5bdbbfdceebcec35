"""What happens around a server of several models: pods that load what their Secret lists."""

import base64
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from tests.unit.children.world import NAMESPACE, Reconcile, World, until_quiet
from tests.unit.deployment.scene import KIND, come_up, package, served

from tidemill.deployment.asking import Asking
from tidemill.deployment.observed import REVISION_LABEL
from tidemill.deployment.packages import Packages
from tidemill.deployment.reconcile import ModelDeploymentReconciler
from tidemill.deployment.said import Answer, Said
from tidemill.kube.resources import DEPLOYMENTS, PODS, SECRETS
from tidemill.store.digests import sha256_digest

NAME = "m"
Body = dict[str, Any]


class Servers:
    """The kubelet and the servers; `bad` are digests that no server loads, each with a reason."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bad: dict[str, str] = {}
        self.models: dict[str, dict[str, Said]] = {}  # by pod
        self.lists: dict[str, str] = {}  # likewise: the digests of what they follow
        self.silent: set[str] = set()
        self.asked: list[tuple[str, int]] = []

    async def ask(
        self, pods: Sequence[Mapping[str, Any]], port: int, names: Collection[str]
    ) -> tuple[Answer, ...]:
        """Answer as they would."""
        told = []
        for pod in pods:
            name = pod["metadata"]["name"]
            self.asked.append((name, port))
            models = {n: said for n, said in self.models.get(name, {}).items() if n in names}
            fault = "no answer within 2 s" if name in self.silent else None
            listed = self.lists.get(name, "")
            told.append(Answer(name, fault=fault) if fault else Answer(name, models, None, listed))
        return tuple(told)

    def run(self) -> None:
        """Bring up pods, bring them their lists, have them load, and count who is ready."""
        deployments = [one for one in self.world.api.all(DEPLOYMENTS) if is_of_several(one)]
        wanted = {name for one in deployments for name in pod_names(one)}
        for pod in self.world.api.all(PODS):
            if pod["metadata"]["name"] not in wanted:
                self.world.api.remove(pod)
                self.models.pop(pod["metadata"]["name"])
        for one in self.world.api.all(DEPLOYMENTS):
            if one not in deployments:
                come_up(one)
                continue
            for name in pod_names(one):
                self._start(one, name)
                self._load(name, listed(self.world, one))
                self.lists[name] = sha256_digest(list_text(self.world, one))
            answering = (any(s.digest for s in self.models[p].values()) for p in pod_names(one))
            come_up(one, sum(answering))

    def _start(self, deployment: dict[str, Any], name: str) -> None:
        if name in self.models:
            return
        self.models[name] = {}
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        status = {"phase": "Running", "podIP": "10.0.0.1"}
        self.world.api.put(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}
        )

    def _load(self, pod: str, models: list[dict[str, Any]]) -> None:
        before = self.models[pod]
        self.models[pod] = {}
        for one in models:
            digest, last = one["digest"], before.get(one["name"])
            said = Said(digest, digest, "Ready")
            if digest in self.bad:
                said = Said(digest, last.digest if last else "", self.bad[digest], "it is bad")
            self.models[pod][one["name"]] = said

    def process(self) -> Callable[[], Reconcile]:
        """Give what starts an operator's process."""
        world, asking = self.world, cast("Asking", self)
        return lambda: (
            ModelDeploymentReconciler(
                world.context(), world.platform, Packages(world.platform.store), asking
            ).reconcile
        )

    def answers(self) -> dict[str, str]:
        """Give what answers where the traffic goes: the models' digests, by their names."""
        found: dict[str, str] = {}
        for models in self.models.values():
            found |= {name: said.digest for name, said in models.items() if said.digest}
        return found


def is_of_several(deployment: dict[str, Any]) -> bool:
    """Tell whether its pods are told a list."""
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return any(one["name"] == "TIDEMILL_MODELS" for one in container["env"])


def pod_names(deployment: dict[str, Any]) -> list[str]:
    """Name the pods of a Deployment."""
    revision = deployment["spec"]["selector"]["matchLabels"][REVISION_LABEL]
    return [f"{revision}-{number}" for number in range(deployment["spec"]["replicas"])]


def listed(world: World, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the list in the Secret of a Deployment."""
    text = list_text(world, deployment)
    found: list[dict[str, Any]] = json.loads(text)["models"] if text else []
    return found


def list_text(world: World, deployment: dict[str, Any]) -> bytes:
    """Give the list as its pods read it."""
    secret = world.api.objects.get((SECRETS, NAMESPACE, deployment["metadata"]["name"]))
    return b"" if secret is None else base64.b64decode(secret["data"]["models.json"])


def model(name: str, letter: str, namespace: str = NAMESPACE, **more: Any) -> Body:
    """Name a package in the store, as an entry of spec.models does."""
    return {"name": name, **package(letter, namespace), **more}


def of_run(name: str, run: str = "run") -> Body:
    """Name a run, likewise."""
    return {"name": name, "run": run}


async def once_quiet(servers: Servers) -> None:
    """Reconcile until there is nothing more to do."""
    await until_quiet(servers.world, servers.process()(), KIND, NAME)


async def rolled(servers: Servers) -> None:
    """Let operator, kubelet and servers each do their part until all is at rest."""
    for _ in range(4):
        await once_quiet(servers)
        servers.run()
    await once_quiet(servers)


async def up(servers: Servers, *models: Body, **spec: Any) -> Body:
    """Have several models served by two pods."""
    body = servers.world.put(KIND, NAME, {"models": list(models), "replicas": 2, **spec})
    await rolled(servers)
    return body


def the_list(world: World) -> list[Body]:
    """Give the list that the pods of the one Deployment are told."""
    return listed(world, world.api.one(DEPLOYMENTS))


def states(world: World) -> dict[str, tuple[str, str]]:
    """Give what the status says of each: how many pods have it, and why not."""
    return {one["name"]: (one["ready"], one["reason"]) for one in served(world)["models"]}
