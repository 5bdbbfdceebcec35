"""Which other Datasets a Dataset names beside its source, and the versions meant by it. Pure.

A query joins some of them, a check looks into others. An ingest reads the versions that were found
when it was decided upon: its Job bears them, so that it can be told again what it was told first.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.sources import DatasetSource
from tidemill.store import digests, layout

PINS_ANNOTATION = "tidemill.dev/pins"
Path = tuple[str | int, ...]
_SOURCE: Path = ("source", "dataset")


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in the spec that names a version of another Dataset, or `latest`."""

    path: Path
    name: str
    version: str

    @property
    def field(self) -> str:
        """Give the place as messages name it."""
        return _field(self.path)


@dataclass(frozen=True, slots=True)
class Pin:
    """The version that a reference meant when it was looked at."""

    path: Path
    name: str
    version: str

    @property
    def field(self) -> str:
        """Give the place as messages name it."""
        return _field(self.path)

    def manifest(self, namespace: str) -> str:
        """Give the key of the manifest that it is read by."""
        return layout.manifest_key(namespace, self.name, self.version)


def of_source(source: DatasetSource) -> Reference:
    """Give the reference that a source is."""
    return Reference(_SOURCE, source.name, source.version)


def beside_source(spec: DatasetSpec) -> tuple[Reference, ...]:
    """Find all references of a spec but the source."""
    inputs = (spec.prepare.inputs if spec.prepare else None) or ()
    found = [
        Reference(("prepare", "inputs", place, "dataset"), one.dataset.name, one.dataset.version)
        for place, one in enumerate(inputs)
    ]
    for place, check in enumerate(spec.checks or ()):
        if check.referential:
            theirs = check.referential.dataset
            path: Path = ("checks", place, "referential", "dataset")
            found.append(Reference(path, theirs.name, theirs.version))
    return tuple(found)


def names_in(spec: Mapping[str, Any]) -> Iterator[str]:
    """Find the Datasets that a spec names anywhere, as it stands in the API: it may be no good."""
    prepare = spec.get("prepare") or {}
    checks = [check.get("referential") or {} for check in spec.get("checks") or ()]
    for place in (spec.get("source") or {}, *(prepare.get("inputs") or ()), *checks):
        if name := (place.get("dataset") or {}).get("name"):
            yield str(name)


def mark(fingerprint: str, pins: Iterable[Pin]) -> str:
    """Extend the fingerprint of a source by the versions read beside it."""
    rows = [[pin.field, pin.version] for pin in pins]
    if not rows:
        return fingerprint
    return (
        f"{fingerprint}+{digests.hex_of(digests.sha256_digest(digests.canonical_json(rows)))[:16]}"
    )


def noted(pins: Iterable[Pin]) -> str:
    """Write pins down for a Job to bear."""
    return json.dumps({pin.field: pin.version for pin in pins}, separators=(",", ":"))


def restored(spec: DatasetSpec, note: str | None) -> tuple[Pin, ...]:
    """Read what `noted` wrote, for the spec that the Job was started for."""
    versions = json.loads(note or "{}")
    return tuple(
        Pin(one.path, one.name, versions[one.field])
        for one in beside_source(spec)
        if one.field in versions
    )


def fill(document: dict[str, Any], pins: Iterable[Pin], namespace: str) -> None:
    """Put into an input document, in place of each reference, the version and where it lies."""
    for pin in pins:
        place: Any = document
        for step in pin.path[:-1]:
            place = place[step]
        manifest = pin.manifest(namespace)
        place[pin.path[-1]] = {"name": pin.name, "version": pin.version, "manifest": manifest}


def _field(path: Path) -> str:
    return "spec" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
