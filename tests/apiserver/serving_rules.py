"""The rules of a container that serves, each with what it takes, refuses and then says."""

from typing import Any

import pytest
from tests.unit.store import keys

MODEL = "exactly one model must be named: run, uri with digest, or container"
IMAGE = "registry.example/peaks@sha256:" + "0a" * 32
URI = "s3://tidemill/models/demo/elec2/0a/"
DIGEST = "sha256:" + "0a" * 32
SIGNED = {"verification": {"publicKeys": [keys.public_pem()]}}
FEATURES = {"online": {"address": "redis:6379"}}
PORTS = "ports 8080, 8082 and 9000 are those of the server before it: listen on another"
UNSIGNED = (
    "verification is of packages, and a container is known by its image's digest: remove "
    "verification"
)
TIMEOUT = "timeout is from 1s to 1h: who asks waits for it"
FULL: dict[str, Any] = {
    "command": ["serve"],
    "args": ["--verbose"],
    "env": [{"name": "WEIGHTS", "value": "/weights"}],
    "port": 65535,
    "protocol": "Http",
    "ready": "/up?deep=1",
    "timeout": "1m30s",
}


def model(**fields: Any) -> dict[str, Any]:
    return {"container": {"image": IMAGE, **fields}}


def deployed(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A container, with what stands beside it in the model, and fields of the spec."""
    whole = model()
    for part in parts:
        whole = whole | part
    return {"model": whole, **fields}


ISSUER = {"issuer": "https://login.example", "audiences": ["m"]}
ASKED = (
    "before a container access.oidc needs keysRef: else its pod, and so the container, would "
    "reach outside"
)
TRACES = {"endpoint": "http://collector.observability.svc:4318"}
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("a container and a run", deployed(), deployed({"run": "r"}), MODEL),
    (
        "a container and a package",
        deployed(model(**FULL)),
        deployed({"uri": URI, "digest": DIGEST}),
        MODEL,
    ),
    (
        "an image by tag",
        deployed(page="Disabled", replicas=2),
        deployed(model(image="registry.example/peaks:1")),
        "image must be named by digest (name@sha256:…): its digest is the model's version",
    ),
    (
        "an image that is an address of the store",
        deployed(model(image=f"registry.example:5000/peaks:1@{DIGEST}")),
        deployed(model(image=f"s3://registry.example/peaks@{DIGEST}")),
        "image must be named by digest (name@sha256:…): its digest is the model's version",
    ),
    (
        "an issuer that is asked before a container",
        deployed(access={"oidc": {**ISSUER, "keysRef": {"name": "keys"}}}),
        deployed(access={"oidc": ISSUER}),
        ASKED,
    ),
    (
        "the server's port for REST",
        deployed(model(port=8081)),
        deployed(model(port=8080)),
        PORTS,
    ),
    ("the server's port for gRPC", deployed(model(port=1)), deployed(model(port=9000)), PORTS),
    ("the server's port for probes", deployed(model(port=1)), deployed(model(port=8082)), PORTS),
    (
        "a name of ours",
        deployed(model(env=[{"name": "PORT", "value": "1"}])),
        deployed(model(env=[{"name": "TIDEMILL_MODEL_NAME", "value": "x"}])),
        "names that begin with TIDEMILL_ are set by Tidemill: take another",
    ),
    ("no time at all", deployed(model(timeout="1s")), deployed(model(timeout="999ms")), TIMEOUT),
    ("too long a time", deployed(model(timeout="1h")), deployed(model(timeout="61m")), TIMEOUT),
    (
        "a container over gRPC",
        deployed(grpc="Disabled"),
        deployed(grpc="Enabled"),
        "a container is asked over REST alone: remove grpc",
    ),
    (
        "a container explained",
        deployed(explain="Disabled"),
        deployed(explain="Enabled"),
        "what features add to a container's answers is not known: remove explain",
    ),
    (
        "features of a container",
        {"features": FEATURES},
        deployed(features=FEATURES),
        "a container looks features up by itself: remove features",
    ),
    (
        "traces before a container",
        {"traces": TRACES},
        deployed(traces=TRACES),
        "a container records its traces by itself, the context is passed on: remove traces",
    ),
    (
        "the runtime of a container",
        deployed(runtime="Auto"),
        deployed(runtime="Native"),
        "a container is its own runtime: remove runtime",
    ),
    (
        "a container's signature",
        {"model": {"run": "r", **SIGNED}},
        deployed(SIGNED),
        UNSIGNED,
    ),
)
RULES = [
    pytest.param("ModelDeployment", good, bad, says, id=name) for name, good, bad, says in CASES
]
