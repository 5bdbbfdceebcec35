"""One pass over one ModelDeployment: read the world, decide, act, write the status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.conditions import ConditionType
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from tidemill.children.naming import service_name
from tidemill.children.ownership import belongs_to_owner_of
from tidemill.children.platform import Platform
from tidemill.children.status import StatusWriter, invalid_spec, status_of
from tidemill.deployment.asking import Asking
from tidemill.deployment.decide import FORBIDDEN_BY_POLICY, STALLED_CHECK, Plan, decide
from tidemill.deployment.keys import Keys
from tidemill.deployment.manifests import (
    GRPC,
    HTTPS,
    KIND,
    address_of,
    service_manifest,
    service_metadata,
)
from tidemill.deployment.observed import DeploymentView, Observed
from tidemill.deployment.observing import Observing
from tidemill.deployment.packages import Packages
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.kube.apply import ensure
from tidemill.kube.resources import DEPLOYMENTS, MODEL_DEPLOYMENTS, SERVICES


@dataclass(frozen=True, slots=True)
class ModelDeploymentReconciler:
    """Reconciles ModelDeployments."""

    context: Context
    platform: Platform
    packages: Packages
    asking: Asking = field(default_factory=Asking)

    @property
    def observing(self) -> Observing:
        """Give what looks at the world."""
        return Observing(self.context, self.platform, self.packages, self.asking)

    @property
    def writer(self) -> StatusWriter:
        """Give the writer of this kind's status."""
        return StatusWriter(self.context, MODEL_DEPLOYMENTS, ConditionType.READY)

    @property
    def keys(self) -> Keys:
        """Give what writes the Secrets."""
        return Keys(self.context, self.platform)

    async def reconcile(self, key: Key) -> Result:
        """Bring one deployment closer to its spec."""
        live = await self.context.client.get(MODEL_DEPLOYMENTS, key.namespace, key.name)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return Result.done()
        status = status_of(ModelDeploymentStatus, live)
        try:
            spec = ModelDeploymentSpec.model_validate(live["spec"])
        except ValidationError as error:
            await self.writer.write(live, status, invalid_spec(error))
            return Result.done()
        return await self._act(live, spec, status)

    async def _act(
        self, live: Mapping[str, Any], spec: ModelDeploymentSpec, status: ModelDeploymentStatus
    ) -> Result:
        service = await self.context.client.get(
            SERVICES, live["metadata"]["namespace"], service_name(KIND, live["metadata"]["name"])
        )
        observed, revision = await self.observing.observe(live, spec, service)
        plan = decide(spec, status, observed, revision, address_of(live))
        done = self._carry_out(live, spec, observed, plan, service)
        shown = plan.status
        if service is not None and not belongs_to_owner_of(service_metadata(live), service):
            shown = shown.model_copy(update={"url": None})  # who answers there is somebody else
        return await self.writer.guard(live, shown, done)

    async def _carry_out(
        self,
        live: Mapping[str, Any],
        spec: ModelDeploymentSpec,
        observed: Observed,
        plan: Plan,
        service: Mapping[str, Any] | None,
    ) -> Result:
        renewals = await self._apply(live, spec, observed, plan, service)
        await self.writer.write(live, plan.status, plan.verdict)
        waits = [*renewals, *([plan.requeue_after] if plan.requeue_after is not None else [])]
        return Result.after(min(waits)) if waits else Result.done()

    async def _apply(
        self,
        live: Mapping[str, Any],
        spec: ModelDeploymentSpec,
        observed: Observed,
        plan: Plan,
        service: Mapping[str, Any] | None,
    ) -> list[float]:
        """Act in the order of the plan; gives in how many seconds keys want renewing."""
        client, namespace = self.context.client, live["metadata"]["namespace"]
        renewals = []
        if plan.select:
            # Its ports come and go with what it selects.
            grpc, tls = spec.grpc != GRPC, spec.tls is not None
            if plan.keep is not None:
                grpc, tls = plan.keep.has_port("grpc"), plan.keep.has_port(HTTPS)
            manifest = service_manifest(live, plan.select, grpc=grpc, tls=tls)
            await ensure(client, manifest, service)
        if plan.serve:
            listed = observed.shelf.text if observed.shelf else None
            manifest = self.observing.manifest(live, spec, plan.serve, listed)
            name = manifest["metadata"]["name"]
            renewals += await self.keys.keep(live, plan.serve, name, listed)
            current = await client.get(DEPLOYMENTS, namespace, name)
            await ensure(client, manifest, current)
        if plan.keep:
            listed = observed.list_for(plan.keep, frozen=spec.suspend)
            renewals += await self.keys.keep_served(live, plan.keep, listed)
        held = spec.suspend or plan.verdict.reason in FORBIDDEN_BY_POLICY
        if plan.keep and not held and plan.keep.replicas != spec.replicas:
            renewals += await self._resize(live, plan.keep, spec.replicas)
        for old in plan.delete:
            # The Secret first: without its Deployment, nothing would remember it.
            await self.keys.remove(live, old.name)
            await client.delete(DEPLOYMENTS, namespace, old.name, uid=old.uid)
        return renewals

    async def _resize(
        self, live: Mapping[str, Any], keep: DeploymentView, replicas: int
    ) -> list[float]:
        """Give what serves its size; more pods are new pods, whichever version they are of."""
        size = {"spec": {"replicas": replicas}}
        if replicas > keep.replicas:
            grown = {**keep.body, "spec": {**keep.body["spec"], **size["spec"]}}
            if await self.observing.forbidden(_asking(live, keep), grown):
                return [STALLED_CHECK]  # in which the policy may have changed
        namespace = live["metadata"]["namespace"]
        await self.context.client.patch(DEPLOYMENTS, namespace, keep.name, size)
        return []


def _asking(live: Mapping[str, Any], keep: DeploymentView) -> Mapping[str, Any]:
    """Give the object as it was when it asked for what still serves: its image is judged anew."""
    if keep.target.packaged or not keep.target.uri:
        return live
    model = {"container": {"image": keep.target.uri}}
    return {**live, "spec": {**live["spec"], "model": model}}
