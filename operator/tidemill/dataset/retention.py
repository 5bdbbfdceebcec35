"""Which versions of a namespace's Datasets may go. Pure: no I/O, no clock, no chance.

A version goes when it is beyond every limit that its Dataset sets: with `versions: 10` and
`age: 90d`, the eleventh goes once it is ninety days old. Accepted ones, rejected ones and
what has no record are counted apart: a week of bad deliveries pushes no good version out.

Whatever its limits say, a version stays while anything names it: any object of the namespace that
uses data, and the record of any version that stays. What is beyond the limits is first condemned
and goes only if it is still so when `grace` has passed, with the uses read anew: so the amounts
stand to be read before anything is deleted, and a run that names a version meanwhile keeps it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidemill.store.digests import canonical_json
from tidemill.store.stored import Name, Shelf, Stored

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a Dataset asks to be kept; a limit that is None asks for nothing."""

    versions: int | None = None
    age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """What goes now, and what is condemned since when."""

    go: tuple[Stored, ...]
    condemned: Mapping[Name, datetime]


def uses(objects: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Find every version that objects of the API name, in whatever field.

    No list of fields can be forgotten to be extended: each digest in spec, status or annotations
    counts, but for `status.versions`, by which a Dataset would keep its own for ever. One that is
    no version's does no harm.
    """
    found: set[str] = set()
    for one in objects:
        status = {k: v for k, v in (one.get("status") or {}).items() if k != "versions"}
        metadata = one.get("metadata") or {}
        # The text that kubectl leaves is an old spec; who wrote which field is not a use.
        notes = {
            key: text
            for key, text in (metadata.get("annotations") or {}).items()
            if key != "kubectl.kubernetes.io/last-applied-configuration"
        }
        text = canonical_json([one.get("spec") or {}, status, notes]).decode("utf-8")
        found.update(_DIGEST.findall(text))
    return frozenset(found)


def beyond(
    stored: Iterable[Stored], limits: Mapping[str, Limits], now: datetime
) -> frozenset[Name]:
    """Find the versions that are beyond all limits of their Dataset, used or not."""
    shelves: dict[tuple[str, Shelf], list[Stored]] = {}
    for one in stored:
        shelves.setdefault((one.name.dataset, one.shelf), []).append(one)
    found: set[Name] = set()
    for (dataset, _), shelf in shelves.items():
        limit = limits.get(dataset, Limits())
        if limit.versions is None and limit.age is None:
            continue
        newest = sorted(shelf, key=lambda one: (one.written, one.name.version), reverse=True)
        for one in newest[limit.versions or 0 :]:
            if limit.age is None or now - one.written > limit.age:
                found.add(one.name)
    return frozenset(found)


def unneeded(
    stored: Iterable[Stored], going: frozenset[Name], used: frozenset[str]
) -> frozenset[Name]:
    """Take back from those that would go what is used, and what these were made from, and so on."""
    every = {one.name: one for one in stored}
    alike: dict[str, list[Name]] = {}
    for name in every:
        alike.setdefault(name.version, []).append(name)
    needed = set(used)
    kept = [name for name in every if name not in going or name.version in used]
    seen = set(kept)
    while kept:
        for digest in every[kept.pop()].named - needed:
            needed.add(digest)
            fresh = [name for name in alike.get(digest, ()) if name not in seen]
            seen.update(fresh)
            kept.extend(fresh)
    return going - seen


def sentence(
    stored: Iterable[Stored],
    going: frozenset[Name],
    before: Mapping[Name, datetime],
    now: datetime,
    grace: timedelta,
) -> Sentence:
    """Let go what was condemned `grace` ago and written no later, condemn what is new."""
    go, condemned = [], {}
    for one in stored:
        if one.name not in going:
            continue
        since = before.get(one.name)
        # An ingest that gave the same version again has written its record again.
        if since is None or since > now or one.written > since:
            condemned[one.name] = now
        elif now - since < grace:
            condemned[one.name] = since
        else:
            go.append(one)
            condemned[one.name] = since  # until it is gone: a sweep may die
    return Sentence(tuple(sorted(go, key=lambda one: one.written)), condemned)
