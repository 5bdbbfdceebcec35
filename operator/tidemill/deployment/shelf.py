"""Several models in one server: what the list says, and the text by which the pods are told. Pure.

An entry whose package is not known (its run has not ended, or failed; its address is not of this
namespace) keeps the package that the pods were told before: a model that is to become another one
goes on answering until there is another one. An entry that had none is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, stalled
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.served_models import MAX_MODELS, MAX_NAME, MAX_URI, ServedModel
from tidemill.deployment.target import Target
from tidemill.kube.drift import quantity
from tidemill.store.digests import canonical_json, is_digest, sha256_digest

FILE = "models.json"
# An object's annotations have 256 KiB together. 32 of the longest addresses and 256 of the longest
# keys fit, unless they are of letters that are written with several others.
MOST_KIB = 224
Listed = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the list: its package, or why there is none; and what the pods are told."""

    name: str
    wanted: Target | Verdict
    former: Target | None = None  # which is kept while there is no other
    listed: Listed | None = None

    @property
    def package(self) -> Target | None:
        """Give the package that the pods are told."""
        return self.wanted if isinstance(self.wanted, Target) else self.former


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models of one list, in its order."""

    entries: tuple[Entry, ...]

    @property
    def text(self) -> str:
        """Write the list for the pods: of what is not known, nothing."""
        told = [one.listed for one in self.entries if one.listed is not None]
        return canonical_json({"models": told}).decode("utf-8")

    @property
    def digest(self) -> str:
        """Give the digest of that text, by which a pod names the list that it follows."""
        return sha256_digest(self.text.encode("utf-8"))

    @property
    def fault(self) -> Verdict | None:
        """Say why no pod can be told this list, if none can."""
        size = -(-len(self.text.encode("utf-8")) // 1024)
        if size <= MOST_KIB:
            return None
        message = (
            f"spec.models: the list takes {size} KiB as JSON, and may take {MOST_KIB}: name fewer "
            "models or public keys, or packages by shorter addresses"
        )
        return stalled(Reason.SPEC_INVALID, message)

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing yet that a server could load."""
        return all(one.listed is None for one in self.entries)

    @property
    def names(self) -> frozenset[str]:
        """Name all of them."""
        return frozenset(one.name for one in self.entries)


def entry(model: ServedModel, wanted: Target | Verdict, before: Mapping[str, Target]) -> Entry:
    """Make the entry of a model; `before` is what the pods were told last, by name."""
    former = before.get(model.name) if isinstance(wanted, Verdict) else None
    package = former if isinstance(wanted, Verdict) else wanted
    if package is None:
        return Entry(model.name, wanted)
    listed: dict[str, Any] = {"name": model.name, "uri": package.uri, "digest": package.digest}
    if model.verification is not None:
        listed["publicKeys"] = list(model.verification.public_keys)
    if limits := _limits(model):
        listed["limits"] = limits
    return Entry(model.name, wanted, former, listed)


def _limits(model: ServedModel) -> dict[str, int]:
    if model.limits is None:
        return {}
    memory = quantity(model.limits.memory) if model.limits.memory is not None else None
    limits = {
        "rows": model.limits.rows,
        "inFlight": model.limits.in_flight,
        "memoryBytes": None if memory is None else max(1, int(memory)),
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def told_before(text: str | None) -> dict[str, Target]:
    """Read which packages the pods were told, from the list; somebody may have edited it."""
    try:
        document = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    models = document.get("models") if isinstance(document, dict) else None
    found = models if isinstance(models, list) and len(models) <= MAX_MODELS else []
    return {one["name"]: Target(one["uri"], one["digest"]) for one in found if _is_one(one)}


def _is_one(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and len(one["name"]) <= MAX_NAME
        and isinstance(one.get("uri"), str)
        and len(one["uri"]) <= MAX_URI
        and is_digest(one.get("digest"))
    )
