"""The kustomizations of one installation: ours, with its images, namespaces and store put in.

They are written under build/install, so that they can be read, compared and applied by hand. JSON
is YAML: no library is needed to write it. Nothing secret is in them.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .images import Image
from .kubectl import Body
from .store import STORE, Place

OPERATOR = "tidemill-operator"


@dataclass(frozen=True)
class Renderer:
    """Writes kustomizations that stand on the folders of `manifests`."""

    manifests: Path
    target: Path
    images: Mapping[str, Image]

    def foundation(self, place: Place) -> Path:
        """Write the namespace and the place of the store."""
        return self._write("foundation", ["foundation"], [_store_patch(place)])

    def minio(self) -> Path:
        """Write MinIO."""
        return self._write("minio", ["minio"], [])

    def minio_setup(self) -> Path:
        """Write the Job that prepares MinIO."""
        return self._write("minio-setup", ["minio/setup"], [])

    def operator(self, place: Place, namespaces: tuple[str, ...], store_version: str) -> Path:
        """Write the operator with its rights: in the whole cluster, or in some namespaces."""
        patches = [_store_patch(place), self._deployment_patch(namespaces, store_version)]
        if not namespaces:
            return self._write("operator", ["overlays/cluster"], patches)
        roles = [self._role(namespace) for namespace in namespaces]
        return self._write("operator", ["base"], patches, more=roles)

    def _role(self, namespace: str) -> Path:
        body = {"namespace": namespace}
        return self._write(f"role-{namespace}", ["overlays/namespaces/role"], [], body=body)

    def network(self, namespace: str, patches: list[Body]) -> Path:
        """Write the network policies of one namespace, or with an empty name of our own."""
        if not namespace:
            return self._write("network", ["network/system"], patches)
        body = {"namespace": namespace}
        folder = ["network/namespace"]
        return self._write(f"network-{namespace}", folder, patches, body=body)

    def _deployment_patch(self, namespaces: tuple[str, ...], store_version: str) -> Body:
        environment = {
            "TIDEMILL_RUNNER_IMAGE": str(self.images["runner"]),
            "TIDEMILL_SERVER_IMAGE": str(self.images["server"]),
        }
        for name in ("runner-boosting", "server-boosting"):
            if name in self.images:
                variable = f"TIDEMILL_{name.replace('-', '_').upper()}_IMAGE"
                environment[variable] = str(self.images[name])
        if namespaces:
            environment["TIDEMILL_NAMESPACE"] = ",".join(namespaces)
        env = [{"name": name, "value": value} for name, value in environment.items()]
        template = {
            "metadata": {"annotations": {"tidemill.dev/store-version": store_version}},
            "spec": {"containers": [{"name": "operator", "env": env}]},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": OPERATOR},
            "spec": {"template": template},
        }

    def _write(
        self,
        name: str,
        resources: list[str],
        patches: list[Body],
        *,
        more: Iterable[Path] = (),
        body: Body | None = None,
    ) -> Path:
        folder = self.target / name
        folder.mkdir(parents=True, exist_ok=True)
        paths = [*(self.manifests / resource for resource in resources), *more]
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(path, folder) for path in paths],
            "images": [
                {"name": f"tidemill/{key}", "newName": image.name, "digest": image.digest}
                for key, image in self.images.items()
            ],
            "patches": [_patch(patch) for patch in patches],
            **(body or {}),
        }
        text = json.dumps(content, indent=2) + "\n"
        (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
        return folder


def _store_patch(place: Place) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": STORE},
        "data": place.values(),
    }


def _patch(patch: Body) -> Body:
    target = {"kind": patch["kind"], "name": patch["metadata"]["name"]}
    return {"target": target, "patch": json.dumps(patch)}
