"""The manifests of a model version, or of several models: the Deployment, and the Service.

The revision, a hash of everything that shapes a pod, is part of the Deployment's name and of the
Service's selector: a new version is a new Deployment beside the old one, and traffic moves when the
Service selects it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.signing import Verification
from tidemill.children.naming import child_name, service_name, short_hash
from tidemill.children.ownership import OUTSIDE, child_metadata
from tidemill.children.pod_spec import CONTAINER_SECURITY, resources, restricted_pod
from tidemill.deployment import access, behind, lookup, tracing
from tidemill.deployment.observed import (
    DIGEST_ANNOTATION,
    DIGEST_VARIABLE,
    MODELS_VARIABLE,
    REVISION_LABEL,
    URI_ANNOTATION,
    URI_VARIABLE,
)
from tidemill.deployment.shelf import FILE
from tidemill.deployment.target import Target
from tidemill.kube.owners import OWNER_UID_LABEL

KIND = "ModelDeployment"
STORE_DIR = "/etc/tidemill/store"
HTTP, HTTPS, HEALTH = "http", "https", "health"  # ports by their names
HTTP_PORT = 8080
GRPC_PORT = 9000
PAGE = "Enabled"
GRPC = "Disabled"
EXPLAIN = "Disabled"
EXPLAINED_ROWS = 20  # in one request
DRAIN_SECONDS = 10
STOP_SECONDS = 40
START_SECONDS = 600  # until the process listens; the model is loaded later, in sight of the probes
DEFAULT_RESOURCES: dict[str, dict[str, Any]] = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"memory": "1Gi"},
}


def revision_of(target: Target, image: str, spec: ModelDeploymentSpec) -> str:
    """Hash what shapes the pods; the number of replicas does not."""
    template, features, verification = spec.template, spec.features, spec.verification
    # Defaults are left out: a field that comes with a later version moves no traffic.
    shapes: list[Any] = [
        template.model_dump(mode="json", exclude_defaults=True) if template else None
    ]
    if features is not None:
        shapes.append(features.model_dump(mode="json", exclude_defaults=True))
    if spec.runtime != "Auto":
        shapes.append({"runtime": spec.runtime})
    if spec.page != PAGE:
        shapes.append({"page": spec.page})
    if spec.grpc != GRPC:
        shapes.append({"grpc": spec.grpc})
    if spec.explain != EXPLAIN:
        shapes.append({"explain": spec.explain})
    if spec.access is not None:
        shapes.append({"access": spec.access.model_dump(mode="json", exclude_defaults=True)})
    if spec.tls is not None:
        shapes.append({"tls": spec.tls.model_dump(mode="json", exclude_defaults=True)})
    if verification is not None:
        shapes.append(verification.model_dump(mode="json", exclude_defaults=True))
    if spec.container is not None:
        shapes.append(spec.container.model_dump(mode="json", exclude_defaults=True))
    if spec.traces is not None:
        shapes.append({"traces": spec.traces.model_dump(mode="json", exclude_defaults=True)})
    if target.several:
        shapes.append({"several": True})  # whichever they are
    texts = (json.dumps(shape, sort_keys=True) for shape in shapes)
    return short_hash(target.uri, target.digest, image, *texts)


def deployment_name(parent: Mapping[str, Any], revision: str) -> str:
    """Name the Deployment (and the Secret) of a revision."""
    metadata = parent["metadata"]
    return child_name(KIND, metadata["name"], metadata["uid"], revision)


def address_of(parent: Mapping[str, Any]) -> str:
    """Give the stable address inside the cluster, without its scheme."""
    metadata = parent["metadata"]
    return f"{service_name(KIND, metadata['name'])}.{metadata['namespace']}.svc"


def service_metadata(parent: Mapping[str, Any]) -> dict[str, Any]:
    """Begin the Service: its name is the address that users know."""
    return child_metadata(KIND, parent, service_name(KIND, parent["metadata"]["name"]))


def service_manifest(
    parent: Mapping[str, Any], revision: str, *, grpc: bool = False, tls: bool = False
) -> dict[str, Any]:
    """Build the Service that sends traffic to one revision."""
    ports = [{"name": HTTP, "port": 80, "protocol": "TCP", "targetPort": HTTP}]
    # Gateways and meshes read from this that the connections are HTTP/2 without TLS.
    over = {"appProtocol": "kubernetes.io/h2c"}
    if tls:
        over = {"appProtocol": HTTPS}
        ports = [{"name": HTTPS, "port": 443, **over, "protocol": "TCP", "targetPort": HTTPS}]
    if grpc:
        ports.append(
            {"name": "grpc", "port": GRPC_PORT, **over, "protocol": "TCP", "targetPort": "grpc"}
        )
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": service_metadata(parent),
        "spec": {
            "selector": {
                OWNER_UID_LABEL: parent["metadata"]["uid"],
                REVISION_LABEL: revision,
            },
            "ports": ports,
        },
    }


def deployment_manifest(
    parent: Mapping[str, Any],
    spec: ModelDeploymentSpec,
    target: Target,
    image: str,
    networks: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the Deployment of what is served; `networks` are opened by the administrator."""
    revision = revision_of(target, image, spec)
    name = deployment_name(parent, revision)
    metadata = child_metadata(KIND, parent, name)
    selector = {OWNER_UID_LABEL: parent["metadata"]["uid"], REVISION_LABEL: revision}
    labels = {**metadata["labels"], REVISION_LABEL: revision}
    metadata["labels"] = labels
    if not target.several:
        metadata["annotations"] = {DIGEST_ANNOTATION: target.digest, URI_ANNOTATION: target.uri}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": spec.replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 600,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": {**labels, **(OUTSIDE if _asks_outside(spec) else {})}},
                "spec": _pod(spec, _server(parent, spec, target, image, networks), name),
            },
        },
    }


def _pod(spec: ModelDeploymentSpec, container: dict[str, Any], secret: str) -> dict[str, Any]:
    behind_it, template = spec.container, spec.template
    if behind_it is not None:
        parts = behind.surround(container, behind_it, template, DEFAULT_RESOURCES)
        parts["volumes"] += access.volumes(spec)
    else:
        parts = {"containers": [container], "volumes": _volumes(spec, secret)}
    stop = {"terminationGracePeriodSeconds": STOP_SECONDS}
    return {**restricted_pod(template), **stop, **parts}


def _volumes(spec: ModelDeploymentSpec, secret: str) -> list[dict[str, Any]]:
    return [
        {"name": "store", "secret": {"secretName": secret}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "20Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        *lookup.volumes(spec.features),
        *access.volumes(spec),
    ]


def _server(
    parent: Mapping[str, Any],
    spec: ModelDeploymentSpec,
    target: Target,
    image: str,
    networks: Sequence[str],
) -> dict[str, Any]:
    env = {
        **_loaded(target, parent["metadata"]["name"]),
        **_runtime(spec, target),
        "TIDEMILL_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "PORT": str(HTTP_PORT),
        **({"TIDEMILL_PAGE": spec.page} if spec.page != PAGE else {}),
        **({"TIDEMILL_GRPC_PORT": str(GRPC_PORT)} if spec.grpc != GRPC else {}),
        **({"TIDEMILL_MAX_EXPLAINED_ROWS": str(EXPLAINED_ROWS)} if spec.explain != EXPLAIN else {}),
        **lookup.environment(spec.features, parent["metadata"]["namespace"], networks),
        **_believed(spec.verification),
        **access.environment(spec, networks),
        **tracing.environment(spec.traces, networks),
    }
    return {
        "name": "server",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "ports": _ports(spec),
        "resources": resources(spec.template, DEFAULT_RESOURCES),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # Imports take a second, and on a node without a free core minutes: a liveness probe that
        # ends what only starts slowly makes the node slower still, and nothing ever answers.
        "startupProbe": _probe(spec, "/v2/health/live", period=1, failures=START_SECONDS),
        "readinessProbe": _probe(spec, "/v2/health/ready", period=2, failures=3),
        "livenessProbe": _probe(spec, "/v2/health/live", period=10, failures=6),
        "volumeMounts": [
            {"name": "store", "mountPath": STORE_DIR, "readOnly": True},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            *lookup.mounts(spec.features),
            *access.mounts(spec),
        ],
    }


def _loaded(target: Target, name: str) -> dict[str, str]:
    """What is loaded: one package, or whatever the list in a file says at the time."""
    if target.several:
        return {MODELS_VARIABLE: f"{STORE_DIR}/{FILE}", "TIDEMILL_MODEL_NAME": name}
    return {
        URI_VARIABLE: target.uri,
        DIGEST_VARIABLE: target.digest,
        "TIDEMILL_MODEL_NAME": name,
        "TIDEMILL_MODEL_VERSION": target.version,
    }


def _runtime(spec: ModelDeploymentSpec, target: Target) -> dict[str, str]:
    """What answers, where it is known before the package is there: then nothing else is imported.

    It is told only where it is not the library that the server begins with by itself.
    """
    if spec.runtime == "Native":
        return {"TIDEMILL_RUNTIME": "Native"}
    if spec.explain != EXPLAIN:
        return {"TIDEMILL_RUNTIME": "Explained"}
    return {"TIDEMILL_RUNTIME": "Onnx"} if target.onnx else {}


def _believed(verification: Verification | None) -> dict[str, str]:
    """Tell a server whose signature it is to demand."""
    if verification is None:
        return {}
    return {"TIDEMILL_MODEL_PUBLIC_KEYS": json.dumps(verification.public_keys)}


def _ports(spec: ModelDeploymentSpec) -> list[dict[str, Any]]:
    ports = {HTTP: HTTP_PORT}
    if spec.tls is not None:
        ports = {HTTPS: HTTP_PORT, HEALTH: access.HEALTH_PORT}
    if spec.grpc != GRPC:
        ports["grpc"] = GRPC_PORT
    return [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()
    ]


def _asks_outside(spec: ModelDeploymentSpec) -> bool:
    sent = spec.features is not None or spec.traces is not None
    return sent or access.asks_outside(spec)


def _probe(spec: ModelDeploymentSpec, path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": HTTP if spec.tls is None else HEALTH},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
