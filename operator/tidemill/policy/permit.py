"""Asks the administrator's policy before anything is started.

The policy is read each time, by its name: nothing is remembered, so that no restart and no missed
event lets anything through. One that cannot be read or understood allows nothing. What runs already
is let be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.ownership import KIND_LABEL
from tidemill.children.status import Passing
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.kube.errors import ApiError
from tidemill.kube.resources import CONFIG_MAPS
from tidemill.policy.document import NAME, PolicyDocument, PolicyError, read
from tidemill.policy.judge import Subject, judge, told

KIND = "Policy"


def policy_key(context: Context) -> Key:
    """Give the key of the policy: it lies where the operator does."""
    return Key(KIND, context.settings.lease_namespace, NAME)


@dataclass(frozen=True, slots=True)
class Permits:
    """The policy of one operator."""

    context: Context

    async def check(self, live: Mapping[str, Any], child: Mapping[str, Any]) -> None:
        """Let an object have the Job or Deployment, or raise Stalled, or Passing."""
        policy, metadata = policy_key(self.context), live["metadata"]
        namespace, kind = metadata["namespace"], child["metadata"]["labels"][KIND_LABEL]
        document = await self._document(policy)
        broken = judge(document.within(namespace), Subject(live, child))
        if broken:
            self.context.waiters.subscribe(policy, Key(kind, namespace, metadata["name"]))
            message = (
                f"{told(broken)}: change the spec, or ask an administrator to change the policy "
                f"(ConfigMap {policy.name} in namespace {policy.namespace})"
            )
            raise Stalled(Reason.POLICY_VIOLATED, message)

    async def _document(self, policy: Key) -> PolicyDocument:
        try:
            found = await self.context.client.get(CONFIG_MAPS, policy.namespace, policy.name)
        except ApiError as error:
            message = f"the administrator's policy cannot be read, so nothing starts: {error}"
            raise Passing(Reason.POLICY_INVALID, message) from error
        try:
            return read(found)
        except PolicyError as error:
            message = (
                f"the administrator's policy has a fault, so nothing starts: ConfigMap "
                f"{policy.name} in namespace {policy.namespace}: {error}"
            )
            raise Stalled(Reason.POLICY_INVALID, message) from error
