"""Who wants to be woken when another object changes.

A TrainingRun that waits for a Dataset subscribes to it; every event of the Dataset, status
included, wakes the run. It is a hint in memory and nothing more: lost at a restart, when
everything is reconciled anyway, and the resync bounds whatever is missed.

1. A wake-up takes the subscription away: whoever still waits subscribes again when reconciled.
2. Subscribing twice is subscribing once.
"""

from tidemill.engine.key import Key


class Waiters:
    """Dependent keys by the key they depend on."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._dependents: dict[Key, set[Key]] = {}

    def subscribe(self, dependency: Key, dependent: Key) -> None:
        """Wake `dependent` at the next change of `dependency`, which need not exist yet.

        Subscribe before reading the dependency: a change between the two is then never missed.
        """
        self._dependents.setdefault(dependency, set()).add(dependent)

    def take(self, dependency: Key) -> frozenset[Key]:
        """Give those who wait for `dependency`, and forget them."""
        return frozenset(self._dependents.pop(dependency, ()))

    def __len__(self) -> int:
        """Count the subscriptions."""
        return sum(len(dependents) for dependents in self._dependents.values())
