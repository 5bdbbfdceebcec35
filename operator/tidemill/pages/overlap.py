"""Whether rows that one run was trained on are rows that another one holds out.

Each run's result has a sketch: the digests of those of its rows whose digest is below a bound, so
that about the same rows are in every sketch that they could be in. Below the lower of two bounds
both know all of theirs, and what they have in common is counted, not guessed. Rows that are alike
by chance are so within one run as well: only what is beyond that is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Below these a few rows that happen to be alike would be told.
FEW, SHARE = 5, 0.02


@dataclass(frozen=True)
class Overlap:
    """Of so many rows held out that were looked at, so many were trained on by the other run."""

    looked: int
    known: int


def overlap(trained: Mapping[str, Any], held: Mapping[str, Any]) -> Overlap | None:
    """Compare the sketches of two results; None where they have none of the same columns."""
    one, other = trained.get("sketch"), held.get("sketch")
    if not one or not other or one["columns"] != other["columns"]:
        return None
    bound = min(one["bound"], other["bound"])
    looked = _below(other["holdout"], bound)
    # What its own training has as well tells of rows alike, not of a run that saw them.
    own = looked & _below(other["train"], bound)
    found = (looked & _below(one["train"], bound)) - own
    return Overlap(len(looked - own), len(found))


def worth_telling(found: Overlap) -> bool:
    """Tell whether it is more than a few rows that happen to be alike."""
    return found.known >= FEW and found.known >= SHARE * found.looked


def _below(digests: list[str], bound: str) -> set[str]:
    """Digests have one length, so that texts are ordered as their numbers are."""
    return {one for one in digests if one <= bound}
