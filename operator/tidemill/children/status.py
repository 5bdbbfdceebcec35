"""Writing a status: conditions from the verdict, an Event on a change, nothing without one.

What stops a pass over an object becomes its status as well: nobody should have to read the
operator's log to learn why nothing happens.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from tidemill.api.v1alpha1.actor import Actor
from tidemill.api.v1alpha1.conditions import (
    Condition,
    ConditionType,
    Verdict,
    conditions_of,
    progressing,
    stalled,
)
from tidemill.api.v1alpha1.meta import RECONCILE_REQUESTED_AT, CommonStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.context import Context
from tidemill.engine.errors import Retry, Stalled
from tidemill.engine.result import Result
from tidemill.kube.errors import ApiError
from tidemill.kube.resources import Resource

STALLED_CHECK_SECONDS = 30.0
Status = TypeVar("Status", bound=CommonStatus)


class Passing(Retry):
    """A fault outside that may pass by itself: told in the status, then tried again."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason beside the message."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """Writes the status of one kind."""

    context: Context
    resource: Resource
    summary: ConditionType

    async def guard(
        self, live: Mapping[str, Any], status: CommonStatus, work: Awaitable[Result]
    ) -> Result:
        """Do a pass; what stops it is told beside what the status says already."""
        try:
            return await work
        except Stalled as error:
            verdict = stalled(error.reason, error.message)
            await self.write(live, status, verdict, handled=False)
            return Result.after(STALLED_CHECK_SECONDS)
        except Passing as error:
            verdict = progressing(error.reason, error.message, summary="False")
            await self.write(live, status, verdict, handled=False)
            raise
        except ApiError:
            raise  # no status can be written either, or another pass sees what is true
        except Retry as error:
            verdict = progressing(Reason.RETRYING, error.message, summary="False")
            await self.write(live, status, verdict, handled=False)
            raise
        except Exception as error:
            # Only its type: the message of any exception may hold anything.
            message = f"a fault in Tidemill ({type(error).__name__}): see the operator's log"
            verdict = progressing(Reason.INTERNAL_ERROR, message, summary="False")
            await self.write(live, status, verdict, handled=False)
            raise

    async def write(
        self,
        live: Mapping[str, Any],
        status: CommonStatus,
        verdict: Verdict,
        *,
        handled: bool = True,
    ) -> None:
        """Apply the status unless it is what stands there already.

        With `handled`, a reconcile that was asked for counts as done.
        """
        previous = previous_conditions(live)
        metadata = live["metadata"]
        asked = requested_at(live) if handled else status.last_handled_reconcile_at
        body = status.model_copy(
            update={
                "conditions": conditions_of(
                    verdict,
                    self.summary,
                    previous,
                    generation=metadata["generation"],
                    now=self.context.clock(),
                ),
                "observed_generation": metadata["generation"],
                "last_handled_reconcile_at": asked,
            }
        ).to_dict()
        if body == live.get("status"):
            return
        await self.context.client.apply_status(
            self.resource,
            {
                "apiVersion": self.resource.api_version,
                "kind": self.resource.kind,
                # The UID keeps a status from landing on a namesake created since.
                "metadata": {k: metadata[k] for k in ("name", "namespace", "uid")},
                "status": body,
            },
        )
        await self._tell(live, previous, verdict)

    async def _tell(
        self, live: Mapping[str, Any], previous: list[Condition], verdict: Verdict
    ) -> None:
        before = next((c for c in previous if c.type == self.summary), None)
        if before and (before.reason, before.status) == (verdict.reason, verdict.summary):
            return
        # Work that goes its way makes no noise: an Event is for an end, or for somebody to act.
        warning = verdict.stalled or verdict.reason.actor is not Actor.NOBODY
        if warning or verdict.summary == "True":
            await self.context.events.emit(
                live,
                kind=self.resource.kind,
                reason=verdict.reason,
                message=verdict.message,
                warning=warning,
            )


def status_of(model: type[Status], live: Mapping[str, Any]) -> Status:
    """Read the status; one that cannot be read is as none: it is made from the world again."""
    try:
        return model.model_validate(live.get("status", {}))
    except ValidationError:
        return model.model_validate({})


def previous_conditions(live: Mapping[str, Any]) -> list[Condition]:
    """Read the conditions as they stand."""
    return status_of(CommonStatus, live).conditions


def requested_at(live: Mapping[str, Any]) -> str | None:
    """Give the value of the annotation that asks for a reconcile now."""
    value = live["metadata"].get("annotations", {}).get(RECONCILE_REQUESTED_AT)
    return str(value)[:128] if value else None


def invalid_spec(error: ValidationError) -> Verdict:
    """Say which field cannot be read; the API server lets only few such specs through."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in ("spec", *first["loc"]))
    return stalled(Reason.SPEC_INVALID, f"{field}: {first['msg']}: correct the field")
