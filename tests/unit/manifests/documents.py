"""The manifests as they stand in their files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
Body = dict[str, Any]


def objects(*folders: str) -> Iterator[Body]:
    """Give every object in the files of the folders, kustomizations left out."""
    for folder in folders:
        for path in sorted((MANIFESTS / folder).glob("*.yaml")):
            for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if body.get("kind") != "Kustomization":
                    yield body


def pod_templates() -> dict[str, Body]:
    """Give every pod template of the manifests by the name of its object."""
    found = objects("base", "minio", "minio/setup")
    return {
        body["metadata"]["name"]: body["spec"]["template"]
        for body in found
        if "template" in body.get("spec", {})
    }
