"""What a refusal owes its reader: the documented reason, and a message to act upon."""

from collections.abc import Sequence

from tests.e2e.world import Body, World, condition, summary, tells

from tidemill.api.v1alpha1.reasons import Reason

WITHIN = 500.0  # a dozen bad objects share the cores, and a slow machine has slow ones


def assert_refused(world: World, kind: str, name: str, reason: str, parts: Sequence[str]) -> Body:
    """Wait until an object is Stalled for the reason, and find every part in its message."""
    message = world.wait_stalled(kind, name, Reason(reason), WITHIN)
    missing = [part for part in parts if part not in message]
    assert not missing, f"{kind} {name} ({reason}) does not tell {missing}: {message}"
    body = world.get(kind, name)
    assert body is not None
    assert not condition(body, "Reconciling")
    return body


def assert_waits(world: World, kind: str, name: str, reason: str, parts: Sequence[str]) -> Body:
    """Wait until an object says what it waits for, as work that goes on by itself.

    One reason may stand for one thing after another, so the message is waited for as well.
    """

    def told(body: Body) -> bool:
        message = summary(body).get("message", "")
        return tells(body, Reason(reason)) and all(part in message for part in parts)

    body = world.wait(kind, name, told, WITHIN)
    assert condition(body, "Reconciling")["status"] == "True"
    assert not condition(body, "Stalled")
    return body
