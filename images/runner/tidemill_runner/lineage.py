"""What a version was made from, as result, record and report tell it."""

import json
from collections.abc import Mapping

from tidemill.store.manifest import Manifest
from tidemill_runner.inputs import DatasetVersion, IngestInput
from tidemill_runner.prepare import SOURCE


def versions(document: IngestInput) -> list[dict[str, str]]:
    """The versions of other Datasets that were read, by the names of the tables that they were."""
    read: dict[str, DatasetVersion] = {}
    if isinstance(document.source, DatasetVersion):
        read[SOURCE] = document.source
    if document.prepare is not None:
        read |= document.prepare.inputs
    return [
        {"name": name, "dataset": one.name, "version": one.version} for name, one in read.items()
    ]


def told(document: IngestInput, manifest: Manifest) -> Mapping[str, str]:
    """The same to read, and what was done to the rows."""
    read = {
        one["name"]: f"Dataset {one['dataset']}, version {one['version']}"
        for one in versions(document)
    }
    done = {name: value for name, value in (manifest.prepare or {}).items() if name != "inputs"}
    return read | {
        f"prepare.{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in done.items()
    }
