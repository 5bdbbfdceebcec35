"""The name of one piece of work: which object is to be reconciled.

Events, timers and other objects never carry state into a reconcile, only a key; what is true is
read live when the key's turn comes. Two causes for the same object are therefore one piece of work.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An object of one of our kinds, by name: it may be gone by the time it is read."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Read as in logs: `TrainingRun/default/power-1`."""
        return f"{self.kind}/{self.namespace}/{self.name}"
