"""Whose keys a Job needs that reads versions which were not copied: those of their sources.

A Dataset with `pin: None` leaves its objects in somebody's bucket, and what opens that stands in a
Secret of the namespace. It is mounted for the Jobs that read the Dataset; the operator copies no
key.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.jobs.manifests import SOURCES_DIR
from tidemill.kube.client import Client
from tidemill.kube.resources import DATASETS

_VERSION = frozenset({"name", "version", "manifest"})


def read_by(document: object) -> Iterator[str]:
    """Find the Datasets of which an input document names a version, anywhere in it."""
    if isinstance(document, Mapping):
        if document.keys() >= _VERSION:
            yield str(document["name"])
        for part in document.values():
            yield from read_by(part)
    elif isinstance(document, list | tuple):
        for part in document:
            yield from read_by(part)


@dataclass(frozen=True, slots=True)
class Uncopied:
    """What Datasets that were not copied are read with."""

    secrets: Mapping[str, str]  # by their names; most need none
    elsewhere: bool  # whether one of them is said to lie at an endpoint of its own


async def uncopied(client: Client, namespace: str, datasets: Iterable[str]) -> Uncopied:
    """Look at the Datasets with these names."""
    found: dict[str, str] = {}
    elsewhere = False
    for name in dict.fromkeys(datasets):
        source = _uncopied(await client.get(DATASETS, namespace, name) or {})
        elsewhere = elsewhere or bool(source.get("endpoint"))
        if secret := (source.get("credentialsRef") or {}).get("name"):
            found[name] = str(secret)
    return Uncopied(found, elsewhere)


def tell(document: Any, named: Mapping[str, str]) -> Any:  # noqa: ANN401 - any part of a document
    """Tell for each version in a document where the keys to its source are; gives a copy."""
    if isinstance(document, Mapping):
        told = {name: tell(part, named) for name, part in document.items()}
        if told.keys() >= _VERSION and told["name"] in named:
            told["keys"] = f"{SOURCES_DIR}/{told['name']}"
        return told
    if isinstance(document, list | tuple):
        return [tell(part, named) for part in document]
    return document


def _uncopied(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the source of a Dataset whose objects stay where they are; empty for any other."""
    spec = dataset.get("spec") or {}
    if spec.get("pin") != "None" or spec.get("prepare"):
        return {}
    source: Mapping[str, Any] = (spec.get("source") or {}).get("s3") or {}
    return source
