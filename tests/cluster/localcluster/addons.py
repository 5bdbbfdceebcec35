"""The objects that a cluster has from its start: access rights of its components, and volumes.

There is no volume provisioner: a number of `local` volumes of the default class `standard` wait
to be claimed. One whose claim was deleted is emptied and offered again by the next `up`.
"""

import shutil

from .api import Api, Object
from .layout import Layout

STORAGE_CLASS = "standard"
VOLUMES = 40
VOLUME_SIZE = "10Gi"
RBAC = "rbac.authorization.k8s.io"


def install(layout: Layout, api: Api) -> None:
    for body in (*_access(), _storage_class()):
        api.apply(body)
    offer_volumes(layout, api)


def offer_volumes(layout: Layout, api: Api) -> None:
    """Makes every volume that is not in use available, and empty."""
    existing = {body["metadata"]["name"]: body for body in api.list("PersistentVolume")}
    for number in range(VOLUMES):
        name = f"{STORAGE_CLASS}-{number:02d}"
        found = existing.get(name)
        if found is not None and found.get("status", {}).get("phase") not in ("Released", "Failed"):
            continue
        folder = layout.volumes / name
        if found is not None:
            api.delete("PersistentVolume", name)
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # a restricted pod without fsGroup must be able to write
        api.apply(_volume(layout, name))


def _volume(layout: Layout, name: str) -> Object:
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [layout.node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(layout.volumes / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }


def _storage_class() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _access() -> list[Object]:
    read = ["list", "watch"]
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces", "pods"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }
    return [
        role,
        _binding("system:coredns", "system:coredns", "system:coredns"),
        _binding(
            "kube-apiserver-to-kubelet", "system:kubelet-api-admin", "kube-apiserver-kubelet-client"
        ),
    ]


def _binding(name: str, role: str, user: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
