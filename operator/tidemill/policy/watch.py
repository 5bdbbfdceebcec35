"""Looks at the policy now and then: tells of its faults, and wakes who waits for a change.

A look is one GET of one ConfigMap by its name, so that the operator needs no right to list or watch
any. What was seen last is a hint in memory: it decides when to tell, never what is allowed.
"""

import logging
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.result import Result
from tidemill.kube.errors import ApiError
from tidemill.kube.resources import CONFIG_MAPS
from tidemill.policy.document import PolicyError, read

LOOK_SECONDS = 10.0

logger = logging.getLogger(__name__)


class PolicyMetrics:
    """Whether there is a policy, and whether it is one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them."""
        self.present = Gauge(
            "tidemill_policy_present", "1 where there is a policy", registry=registry
        )
        self.invalid = Gauge(
            "tidemill_policy_invalid",
            "1 while the policy cannot be read or understood, and nothing starts",
            registry=registry,
        )


@dataclass(slots=True)
class PolicyWatch:
    """Reconciles the policy of one operator; its key is the ConfigMap's name."""

    context: Context
    metrics: PolicyMetrics
    _seen: dict[Key, str | None] = field(default_factory=dict)
    _faulty: bool = False

    async def reconcile(self, key: Key) -> Result:
        """Look at it once."""
        try:
            live = await self.context.client.get(CONFIG_MAPS, key.namespace, key.name)
        except ApiError:
            self.metrics.invalid.set(1)
            raise
        version = live["metadata"]["resourceVersion"] if live else None
        if key in self._seen and self._seen[key] == version:
            self.metrics.invalid.set(self._faulty)
            return Result.after(LOOK_SECONDS)
        fault = None
        try:
            read(live)
        except PolicyError as error:
            fault = str(error)
        self.metrics.present.set(live is not None)
        self._faulty = fault is not None
        self.metrics.invalid.set(self._faulty)
        if live is not None and fault is not None:
            logger.error("The policy has a fault, so nothing starts: %s: %s", key, fault)
            await self.context.events.emit(
                {"apiVersion": "v1", **live},
                kind="ConfigMap",
                reason=Reason.POLICY_INVALID,
                message=f"nothing starts until this is mended: {fault}",
                warning=True,
            )
        elif key in self._seen or live is not None:
            logger.info("The policy is read: %s", key if live else "there is none")
        self._seen[key] = version
        for waiting in self.context.waiters.take(key):
            self.context.queue.add(waiting)
        return Result.after(LOOK_SECONDS)
