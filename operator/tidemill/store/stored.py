"""The versions of a namespace's data sets as they lie in the store. Pure.

A version is its manifest and what belongs to it: record, profile, report. A manifest without a
record is either what a prepared version was made from, and then that version's record names it, or
what an ingest that ended in the middle has left.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tidemill.store import digests, layout
from tidemill.store.errors import StoreError

# ruff: noqa: N818 - as in tidemill.store.errors

_FOLDERS = {"manifests": ".jsonl", "profiles": ".json", "reports": ".html", "versions": ".json"}


class Unreadable(StoreError):
    """Something in the store does not say what it must: nothing may be concluded from it."""


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A version of a data set: equal content in two data sets is two versions of one digest."""

    dataset: str
    version: str


class Shelf(StrEnum):
    """What is counted apart: PARTIAL has no manifest or no record."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    PARTIAL = "Partial"


@dataclass(frozen=True, slots=True)
class Stored:
    """A version; `named` are the digests that its record names as what it was made from."""

    name: Name
    written: datetime
    keys: frozenset[str]
    shelf: Shelf = Shelf.ACCEPTED
    bytes: int = 0
    named: frozenset[str] = field(default_factory=frozenset)

    def in_order(self, namespace: str) -> tuple[str, ...]:
        """Give its keys as they are to be deleted: the record last but the manifest.

        A removal that dies in between leaves a record that says what is still there, or a manifest
        without a record, and is begun again.
        """
        dataset, version = self.name.dataset, self.name.version
        order = (
            layout.profile_key(namespace, dataset, version),
            layout.report_key(namespace, dataset, version),
            layout.record_key(namespace, dataset, version),
            layout.manifest_key(namespace, dataset, version),
        )
        return tuple(key for key in order if key in self.keys)


def named_by(key: str) -> tuple[Name, str] | None:
    """Read which version a key belongs to, and as what; None for what belongs to none."""
    parts = key.split("/")
    if len(parts) != 5 or parts[0] != "datasets":
        return None
    folder, file = parts[3], parts[4]
    ending = _FOLDERS.get(folder)
    version = digests.PREFIX + file.removesuffix(ending or "")
    if ending is None or not file.endswith(ending) or not digests.is_digest(version):
        return None
    return Name(parts[2], version), folder


def read_record(name: Name, data: bytes) -> Mapping[str, object]:
    """Read a record; Unreadable where it is none, or that of another version."""
    try:
        record = json.loads(data)
        if record["version"] == name.version:
            return dict(record)
    except (ValueError, KeyError, TypeError):
        pass
    message = f"the record of version {name.version} of Dataset {name.dataset} is not readable"
    raise Unreadable(f"{message}: nothing is deleted until it is mended or removed")


def made_from(record: Mapping[str, object]) -> frozenset[str]:
    """Find the digests of what a version was made from: source, inputs, its own raw rows."""
    found = [record.get("fingerprint"), *_inputs(record.get("inputs"))]
    raw = record.get("from")
    place = named_by(raw) if isinstance(raw, str) else None
    if place:
        found.append(place[0].version)
    # A source that is read beside others has the mark of all behind its own digest.
    texts = [text.split("+", 1)[0] for text in found if isinstance(text, str)]
    return frozenset(text for text in texts if digests.is_digest(text))


def _inputs(inputs: object) -> Iterable[object]:
    if not isinstance(inputs, list):
        return ()
    return [entry.get("version") for entry in inputs if isinstance(entry, dict)]
