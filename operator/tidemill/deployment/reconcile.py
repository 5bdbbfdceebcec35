"""One pass over one ModelDeployment: read the world, decide, act, write the status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from tidemill.api.v1alpha1.conditions import ConditionType, Verdict, progressing, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import trouble_of
from tidemill.children.naming import service_name
from tidemill.children.ownership import belongs_to_owner_of, child_metadata, selector
from tidemill.children.platform import Platform
from tidemill.children.pods import Diagnosis, diagnose, is_over
from tidemill.children.status import Passing, StatusWriter, invalid_spec, status_of
from tidemill.children.store_secret import StoreSecrets, Wanted
from tidemill.deployment import access, behind, lookup
from tidemill.deployment.decide import FORBIDDEN_BY_POLICY, STALLED_CHECK, Plan, decide
from tidemill.deployment.manifests import (
    GRPC,
    HTTPS,
    KIND,
    address_of,
    deployment_manifest,
    revision_of,
    service_manifest,
    service_metadata,
)
from tidemill.deployment.observed import REVISION_LABEL, DeploymentView, Observed, Target, view
from tidemill.deployment.packages import Packages
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.kube.apply import ensure
from tidemill.kube.resources import (
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    PODS,
    SERVICES,
    TRAINING_RUNS,
)
from tidemill.policy.permit import Permits
from tidemill.store import layout
from tidemill.store.credentials import serve_policy
from tidemill.store.errors import StoreError

CREDENTIALS_SECONDS = 24 * 3600
SOONEST_RENEWAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ModelDeploymentReconciler:
    """Reconciles ModelDeployments."""

    context: Context
    platform: Platform
    packages: Packages

    @property
    def writer(self) -> StatusWriter:
        """Give the writer of this kind's status."""
        return StatusWriter(self.context, MODEL_DEPLOYMENTS, ConditionType.READY)

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
        observed, revision = await self._observe(live, spec, service)
        plan = decide(spec, status, observed, revision, address_of(live))
        done = self._carry_out(live, spec, plan, service)
        shown = plan.status
        if service is not None and not belongs_to_owner_of(service_metadata(live), service):
            shown = shown.model_copy(update={"url": None})  # who answers there is somebody else
        return await self.writer.guard(live, shown, done)

    async def _carry_out(
        self,
        live: Mapping[str, Any],
        spec: ModelDeploymentSpec,
        plan: Plan,
        service: Mapping[str, Any] | None,
    ) -> Result:
        renewals = await self._apply(live, spec, plan, service)
        await self.writer.write(live, plan.status, plan.verdict)
        waits = [*renewals, *([plan.requeue_after] if plan.requeue_after is not None else [])]
        return Result.after(min(waits)) if waits else Result.done()

    async def _observe(
        self, live: Mapping[str, Any], spec: ModelDeploymentSpec, service: Mapping[str, Any] | None
    ) -> tuple[Observed, str | None]:
        metadata = live["metadata"]
        target = await self._target(live, spec)
        if isinstance(target, Target):
            client, namespace = self.context.client, metadata["namespace"]
            fault = await lookup.secret_fault(client, namespace, spec.features)
            target = fault or await access.secret_fault(client, namespace, spec) or target
        found = await self.context.client.list(
            DEPLOYMENTS, metadata["namespace"], labels=selector(metadata["uid"])
        )
        views = tuple(view(body) for body in found)
        selected = ((service or {}).get("spec", {}).get("selector") or {}).get(REVISION_LABEL)
        if isinstance(target, Target) and not spec.suspend:
            target = await self._permitted(live, spec, target, views)
        if isinstance(target, Verdict):
            return Observed(target=target, deployments=views, selected=selected), None
        image = self._image(target)
        revision = revision_of(target, image, spec)
        coming = next((d for d in views if d.revision == revision and not d.available), None)
        trouble = await self._trouble(live, coming) if coming else None
        return Observed(target, views, selected, trouble), revision

    async def _permitted(
        self,
        live: Mapping[str, Any],
        spec: ModelDeploymentSpec,
        target: Target,
        views: Sequence[DeploymentView],
    ) -> Target | Verdict:
        """Ask the policy about pods that would be started; those that run are let be."""
        manifest = deployment_manifest(live, spec, target, self._image(target), self._networks)
        name = manifest["metadata"]["name"]
        if any(one.name == name and one.replicas >= spec.replicas for one in views):
            return target
        return await self._forbidden(live, manifest) or target

    async def _forbidden(
        self, live: Mapping[str, Any], manifest: Mapping[str, Any]
    ) -> Verdict | None:
        """Give what to say where the policy does not allow a Deployment like this one."""
        try:
            await Permits(self.context).check(live, manifest)
        except Stalled as error:
            return stalled(error.reason, error.message)
        except Passing as error:
            return progressing(error.reason, error.message)
        return None

    async def _target(self, live: Mapping[str, Any], spec: ModelDeploymentSpec) -> Target | Verdict:
        model, namespace = spec.model, live["metadata"]["namespace"]
        if model.container is not None:
            return behind.target_of(model.container)
        if model.uri is not None and model.digest is not None:
            target = Target(model.uri, model.digest)
            if not self._may_read(target, namespace):
                return self._outside(target, namespace)
            return await self._told(target)
        if model.run is None:
            return stalled(
                Reason.SPEC_INVALID, "spec.model: set run, uri with digest, or container"
            )
        name = model.run
        key = Key(KIND, namespace, live["metadata"]["name"])
        self.context.waiters.subscribe(Key("TrainingRun", namespace, name), key)
        run = await self.context.client.get(TRAINING_RUNS, namespace, name)
        found = _of_run(name, run)
        if isinstance(found, Target) and not self._may_read(found, namespace):
            return self._outside(found, namespace)
        return found

    async def _told(self, target: Target) -> Target | Verdict:
        """Find out what no run's record tells; what serves goes on meanwhile."""
        try:
            found = await self.packages.contents(target.uri, target.digest)
        except StoreError as error:
            trouble = trouble_of(error)
            say = stalled if isinstance(trouble, Stalled) else progressing
            return say(trouble.reason, trouble.message)
        return replace(target, boosted=found.boosted, onnx=found.onnx)

    def _image(self, target: Target) -> str:
        return self.platform.server_for(boosted=target.boosted)

    @property
    def _networks(self) -> tuple[str, ...]:
        return self.context.settings.http_allowed_networks

    def _may_read(self, target: Target, namespace: str) -> bool:
        """Tell whether the package is of this namespace: another's data are not this one's."""
        try:
            bucket, prefix = layout.parse_uri(target.uri)
            serve_policy(bucket, prefix).to_json()  # which has room for so much only
        except ValueError:
            return False
        own = prefix.startswith(f"models/{namespace}/") and ".." not in prefix
        return own and bucket == self.platform.store_config.bucket

    def _outside(self, target: Target, namespace: str) -> Verdict:
        message = (
            f"spec.model: {target.uri} does not lie under "
            f"s3://{self.platform.store_config.bucket}/models/{namespace}/, or is too long: name "
            "a package of this namespace"
        )
        return stalled(Reason.SPEC_INVALID, message)

    async def _trouble(self, live: Mapping[str, Any], coming: DeploymentView) -> Diagnosis | None:
        labels = {**selector(live["metadata"]["uid"]), REVISION_LABEL: coming.revision}
        namespace = live["metadata"]["namespace"]
        pods = await self.context.client.list(PODS, namespace, labels=labels)
        # A pod that is over or on its way out has a successor, which says more.
        living = [p for p in pods if not is_over(p) and "deletionTimestamp" not in p["metadata"]]
        return diagnose(living or pods) or _refused_pods(coming)

    async def _apply(
        self,
        live: Mapping[str, Any],
        spec: ModelDeploymentSpec,
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
            image = self._image(plan.serve)
            manifest = deployment_manifest(live, spec, plan.serve, image, self._networks)
            name = manifest["metadata"]["name"]
            renewals += await self._credentials(live, plan.serve, name)
            current = await client.get(DEPLOYMENTS, namespace, name)
            await ensure(client, manifest, current)
        if plan.keep and self._may_read(plan.keep.target, namespace):
            renewals += await self._credentials(live, plan.keep.target, plan.keep.name)
        held = spec.suspend or plan.verdict.reason in FORBIDDEN_BY_POLICY
        if plan.keep and not held and plan.keep.replicas != spec.replicas:
            renewals += await self._resize(live, plan.keep, spec.replicas)
        for old in plan.delete:
            # The Secret first: without its Deployment, nothing would remember it.
            secrets = StoreSecrets(self.context, self.platform)
            await secrets.remove(live, old.name)
            await client.delete(DEPLOYMENTS, namespace, old.name, uid=old.uid)
        return renewals

    async def _resize(
        self, live: Mapping[str, Any], keep: DeploymentView, replicas: int
    ) -> list[float]:
        """Give what serves its size; more pods are new pods, whichever version they are of."""
        size = {"spec": {"replicas": replicas}}
        if replicas > keep.replicas:
            grown = {**keep.body, "spec": {**keep.body["spec"], **size["spec"]}}
            if await self._forbidden(_asking(live, keep), grown):
                return [STALLED_CHECK]  # in which the policy may have changed
        namespace = live["metadata"]["namespace"]
        await self.context.client.patch(DEPLOYMENTS, namespace, keep.name, size)
        return []

    async def _credentials(self, live: Mapping[str, Any], target: Target, name: str) -> list[float]:
        """Keep the Secret's keys fresh; tell in how many seconds they want renewing.

        A container has none, and reads nothing of the store.
        """
        if not target.packaged:
            return []
        _, prefix = layout.parse_uri(target.uri)
        wanted = Wanted(
            metadata=child_metadata(KIND, live, name),
            policy=serve_policy(self.platform.store_config.bucket, prefix),
            seconds=CREDENTIALS_SECONDS,
        )
        left = await StoreSecrets(self.context, self.platform).keep(wanted)
        return [max(left, SOONEST_RENEWAL_SECONDS)]


def _asking(live: Mapping[str, Any], keep: DeploymentView) -> Mapping[str, Any]:
    """Give the object as it was when it asked for what still serves: its image is judged anew."""
    if keep.target.packaged or not keep.target.uri:
        return live
    model = {"container": {"image": keep.target.uri}}
    return {**live, "spec": {**live["spec"], "model": model}}


def _of_run(name: str, run: Mapping[str, Any] | None) -> Target | Verdict:
    if run is None:
        message = f"spec.model.run: there is no TrainingRun {name} in this namespace yet: create it"
        return progressing(Reason.WAITING_FOR_RUN, message)
    status = run.get("status", {})
    artifact = status.get("artifact")
    if artifact:
        has = bool(artifact.get("trees")), bool(artifact.get("onnx"))
        return Target(artifact["uri"], artifact["digest"], *has)
    if status.get("completedAt"):
        why = (status.get("failure") or {}).get("message", "no reason given")
        message = f"spec.model.run: TrainingRun {name} failed: {why}; name a run that succeeded"
        return stalled(Reason.RUN_FAILED, message)
    message = f"TrainingRun {name} has not ended: see `kubectl get tmrun {name}`"
    return progressing(Reason.WAITING_FOR_RUN, message)


def _refused_pods(coming: DeploymentView) -> Diagnosis | None:
    """Find out whether pods are not even created: quota, admission, policy."""
    for condition in coming.body.get("status", {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = str(condition.get("message", ""))
            return Diagnosis(Reason.POD_NOT_CREATED, message, coming.name)
    return None
