"""Which package a spec means: of the one model, or of each model of a list.

A run that is named is subscribed to before it is read, so that its end wakes who waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, progressing, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.served_models import MAX_URI, ServedModel
from tidemill.children.credentials import trouble_of
from tidemill.children.platform import Platform
from tidemill.deployment import behind
from tidemill.deployment.keys import is_within, readable
from tidemill.deployment.manifests import KIND
from tidemill.deployment.packages import Packages
from tidemill.deployment.shelf import Shelf, entry
from tidemill.deployment.target import Target
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.kube.resources import TRAINING_RUNS
from tidemill.store.digests import is_digest
from tidemill.store.errors import StoreError

MOST_SHOWN = 300  # of an address: the way out stands behind it
NONE = "spec.model names no model: set run, uri with digest, or container; or spec.models"


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds packages, or says in a verdict why there is none."""

    context: Context
    platform: Platform
    packages: Packages

    async def target_of(
        self, live: Mapping[str, Any], spec: ModelDeploymentSpec
    ) -> Target | Verdict:
        """Find what `spec.model` means."""
        model, namespace = spec.model, live["metadata"]["namespace"]
        if model is None:
            return stalled(Reason.SPEC_INVALID, NONE)
        if model.container is not None:
            return behind.target_of(model.container)
        if model.uri is not None and model.digest is not None:
            target = Target(model.uri, model.digest)
            if not readable(target, namespace, self._bucket):
                return self._outside("spec.model", target, namespace)
            return await self._told(target)
        if model.run is None:
            return stalled(Reason.SPEC_INVALID, NONE)
        found = await self._of_run(live, "spec.model", model.run)
        if isinstance(found, Target) and not readable(found, namespace, self._bucket):
            return self._outside("spec.model", found, namespace)
        return found

    async def shelf_of(
        self,
        live: Mapping[str, Any],
        models: Sequence[ServedModel],
        before: Mapping[str, Target],
    ) -> Shelf:
        """Find what each entry of `spec.models` means; one that is wrong touches no other."""
        namespace = live["metadata"]["namespace"]
        kept = {
            name: one for name, one in before.items() if is_within(one, namespace, self._bucket)
        }
        entries = []
        for place, model in enumerate(models):
            wanted = await self._entry(live, f"spec.models[{place}]", model)
            entries.append(entry(model, wanted, kept))
        return Shelf(tuple(entries))

    async def _entry(
        self, live: Mapping[str, Any], field: str, model: ServedModel
    ) -> Target | Verdict:
        namespace = live["metadata"]["namespace"]
        found: Target | Verdict
        if model.run is not None:
            found = await self._of_run(live, field, model.run)
        elif model.uri is not None and model.digest is not None:
            found = Target(model.uri, model.digest)
        else:
            found = stalled(Reason.SPEC_INVALID, f"{field}: set run, or uri with digest")
        if not isinstance(found, Target):
            return found
        good = (
            is_within(found, namespace, self._bucket)
            and is_digest(found.digest)
            and len(found.uri) <= MAX_URI
        )
        return found if good else self._outside(field, found, namespace)

    async def _of_run(self, live: Mapping[str, Any], field: str, name: str) -> Target | Verdict:
        metadata = live["metadata"]
        namespace = metadata["namespace"]
        key = Key(KIND, namespace, metadata["name"])
        self.context.waiters.subscribe(Key("TrainingRun", namespace, name), key)
        run = await self.context.client.get(TRAINING_RUNS, namespace, name)
        return _of_run(field, name, run)

    async def _told(self, target: Target) -> Target | Verdict:
        """Find out what no run's record tells; what serves goes on meanwhile."""
        try:
            found = await self.packages.contents(target.uri, target.digest)
        except StoreError as error:
            trouble = trouble_of(error)
            say = stalled if isinstance(trouble, Stalled) else progressing
            return say(trouble.reason, trouble.message)
        return replace(target, boosted=found.boosted, onnx=found.onnx)

    @property
    def _bucket(self) -> str:
        return self.platform.store_config.bucket

    def _outside(self, field: str, target: Target, namespace: str) -> Verdict:
        uri = target.uri if len(target.uri) <= MOST_SHOWN else f"{target.uri[:MOST_SHOWN]}…"
        message = (
            f"{field}: {uri} does not lie under "
            f"s3://{self._bucket}/models/{namespace}/, or is too long: name "
            "a package of this namespace"
        )
        return stalled(Reason.SPEC_INVALID, message)


def _of_run(field: str, name: str, run: Mapping[str, Any] | None) -> Target | Verdict:
    if run is None:
        message = f"{field}.run: there is no TrainingRun {name} in this namespace yet: create it"
        return progressing(Reason.WAITING_FOR_RUN, message)
    status = run.get("status", {})
    artifact = status.get("artifact")
    if artifact:
        has = bool(artifact.get("trees")), bool(artifact.get("onnx"))
        return Target(artifact["uri"], artifact["digest"], *has)
    if status.get("completedAt"):
        why = (status.get("failure") or {}).get("message", "no reason given")
        message = f"{field}.run: TrainingRun {name} failed: {why}; name a run that succeeded"
        return stalled(Reason.RUN_FAILED, message)
    message = f"TrainingRun {name} has not ended: see `kubectl get tmrun {name}`"
    return progressing(Reason.WAITING_FOR_RUN, message)
