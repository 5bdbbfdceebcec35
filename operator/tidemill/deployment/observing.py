"""Looks at what there is of a ModelDeployment, and asks who knows more: policy, Secrets, pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, progressing, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.ownership import selector
from tidemill.children.platform import Platform
from tidemill.children.pods import Diagnosis, diagnose, is_over
from tidemill.children.status import Passing
from tidemill.deployment import access, lookup
from tidemill.deployment.asking import Asking, worth_asking
from tidemill.deployment.manifests import HEALTH, HTTP_PORT, deployment_manifest, revision_of
from tidemill.deployment.observed import (
    LIST_ANNOTATION,
    REVISION_LABEL,
    DeploymentView,
    Observed,
    view,
)
from tidemill.deployment.packages import Packages
from tidemill.deployment.resolving import Resolver
from tidemill.deployment.said import Answer
from tidemill.deployment.shelf import Shelf, told_before
from tidemill.deployment.standing import standings, whole
from tidemill.deployment.target import SEVERAL, Target
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Body
from tidemill.kube.resources import DEPLOYMENTS, PODS
from tidemill.policy.permit import Permits

Live = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observing:
    """Finds the facts that a decision is made from."""

    context: Context
    platform: Platform
    packages: Packages
    asking: Asking

    async def observe(
        self, live: Live, spec: ModelDeploymentSpec, service: Live | None
    ) -> tuple[Observed, str | None]:
        """Give the facts, and the revision of what is wanted; None where that is not to be had."""
        metadata = live["metadata"]
        found = await self.context.client.list(
            DEPLOYMENTS, metadata["namespace"], labels=selector(metadata["uid"])
        )
        views = tuple(view(body) for body in found)
        selected = ((service or {}).get("spec", {}).get("selector") or {}).get(REVISION_LABEL)
        shelf = await self._shelf(live, spec, _foremost(views, selected))
        target = await self._target(live, spec, shelf)
        if isinstance(target, Target):
            target = await self._secret_fault(live, spec) or target
        if isinstance(target, Target) and not spec.suspend:
            target = await self._permitted(live, spec, target, views)
        revision, trouble = None, None
        if isinstance(target, Target):
            revision = revision_of(target, self._image(target), spec)
            coming = next((d for d in views if d.revision == revision and not d.available), None)
            trouble = await self._trouble(live, coming) if coming else None
        answers = {}
        if shelf is not None and not spec.suspend:
            asked = [d for d in views if d.target.several and d.revision in (selected, revision)]
            answers = {d.revision: await self._ask(live, d, shelf) for d in asked}
        return Observed(target, views, selected, trouble, shelf, answers), revision

    def manifest(
        self, live: Live, spec: ModelDeploymentSpec, target: Target, listed: str | None = None
    ) -> Body:
        """Make the Deployment of what is to be served, with a note of the list that is told."""
        networks = self.context.settings.http_allowed_networks
        made = deployment_manifest(live, spec, target, self._image(target), networks)
        if listed is not None:
            made["metadata"]["annotations"] = {LIST_ANNOTATION: listed}
        return made

    async def forbidden(self, live: Live, manifest: Live) -> Verdict | None:
        """Give what to say where the policy does not allow a Deployment like this one."""
        try:
            await Permits(self.context).check(live, manifest)
        except Stalled as error:
            return stalled(error.reason, error.message)
        except Passing as error:
            return progressing(error.reason, error.message)
        return None

    def _image(self, target: Target) -> str:
        return self.platform.server_for(boosted=target.boosted)

    @property
    def _resolver(self) -> Resolver:
        return Resolver(self.context, self.platform, self.packages)

    async def _shelf(
        self, live: Live, spec: ModelDeploymentSpec, before: str | None
    ) -> Shelf | None:
        if not spec.models:
            return None
        return await self._resolver.shelf_of(live, spec.models, told_before(before))

    async def _target(
        self, live: Live, spec: ModelDeploymentSpec, shelf: Shelf | None
    ) -> Target | Verdict:
        if shelf is None:
            return await self._resolver.target_of(live, spec)
        if shelf.empty:  # no server has anything to do
            return whole(standings(shelf, (), 0), 0)
        return shelf.fault or SEVERAL

    async def _secret_fault(self, live: Live, spec: ModelDeploymentSpec) -> Verdict | None:
        client, namespace = self.context.client, live["metadata"]["namespace"]
        fault = await lookup.secret_fault(client, namespace, spec.features)
        return fault or await access.secret_fault(client, namespace, spec)

    async def _permitted(
        self,
        live: Live,
        spec: ModelDeploymentSpec,
        target: Target,
        views: Sequence[DeploymentView],
    ) -> Target | Verdict:
        """Ask the policy about pods that would be started; those that run are let be."""
        manifest = self.manifest(live, spec, target)
        name = manifest["metadata"]["name"]
        if any(one.name == name and one.replicas >= spec.replicas for one in views):
            return target
        return await self.forbidden(live, manifest) or target

    async def _ask(self, live: Live, one: DeploymentView, shelf: Shelf) -> tuple[Answer, ...]:
        pods = worth_asking(await self._pods(live, one))
        port = access.HEALTH_PORT if one.has_port(HEALTH) else HTTP_PORT
        return await self.asking.ask(pods, port, shelf.names)

    async def _trouble(self, live: Live, coming: DeploymentView) -> Diagnosis | None:
        pods = await self._pods(live, coming)
        # A pod that is over or on its way out has a successor, which says more.
        living = [p for p in pods if not is_over(p) and "deletionTimestamp" not in p["metadata"]]
        return diagnose(living or pods) or _refused_pods(coming)

    async def _pods(self, live: Live, one: DeploymentView) -> list[Body]:
        labels = {**selector(live["metadata"]["uid"]), REVISION_LABEL: one.revision}
        return await self.context.client.list(PODS, live["metadata"]["namespace"], labels=labels)


def _foremost(views: Sequence[DeploymentView], selected: str | None) -> str | None:
    """Find what the pods were told that have the traffic; else any."""
    first = sorted(views, key=lambda one: (one.revision != selected, one.name))
    return next((one.listed for one in first if one.listed is not None), None)


def _refused_pods(coming: DeploymentView) -> Diagnosis | None:
    """Find out whether pods are not even created: quota, admission, policy."""
    for condition in coming.body.get("status", {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = str(condition.get("message", ""))
            return Diagnosis(Reason.POD_NOT_CREATED, message, coming.name)
    return None
