"""The rules of several models in one server, each with what it takes, refuses and then says."""

from typing import Any

import pytest
from tests.apiserver.serving_rules import DIGEST, FEATURES, MODEL, TRACES, URI
from tests.unit.store import keys

ONE_OF = "exactly one of model and models must be set: one model, or a list in one server"
LOOKED_UP = "features are looked up for one model: remove features, or serve that model by itself"
PACKAGE = "each of models must name exactly one package: run, or uri with digest"
PAIR = "uri and digest are set together"
IS_PEM = "a public key is one PEM: -----BEGIN PUBLIC KEY-----…"
NO_MEMORY = "no model loads without memory: name more than 0, or leave memory out"
MAX_MODELS = 32
KEYS = [keys.public_pem()] * 8
RUN = {"name": "a", "run": "r"}
FULL: dict[str, Any] = {
    "name": "a" * 63,
    "uri": URI,
    "digest": DIGEST,
    "verification": {"publicKeys": KEYS},
    "limits": {"rows": 1_000_000, "inFlight": 10_000, "memory": "512Mi"},
}
MOST = [{**FULL, "name": f"m{number}"} for number in range(MAX_MODELS)]


def listed(*models: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A list in place of the one model, with fields of the spec."""
    return {"model": None, "models": list(models), **fields}


CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("a list beside a model", listed(*MOST), {"models": [RUN]}, ONE_OF),
    ("no model and no list", listed(FULL, page="Disabled"), {"model": None}, ONE_OF),
    ("a list over gRPC, of one model none", listed(RUN, grpc="Enabled"), {"model": {}}, MODEL),
    (
        "features of a list",
        listed(RUN, traces=TRACES, runtime="Native", explain="Enabled"),
        listed(RUN, features=FEATURES),
        LOOKED_UP,
    ),
    ("an entry without a package", listed(RUN), listed({"name": "a"}), PACKAGE),
    ("an entry with two packages", listed(RUN), listed(RUN, {**FULL, "run": "r"}), PACKAGE),
    ("an entry's digest alone", listed(RUN), listed({**RUN, "digest": DIGEST}), PAIR),
    ("an entry's address alone", listed(RUN), listed({"name": "a", "uri": URI}), PAIR),
    *(
        (
            f"no memory, as {memory!r}",
            listed({**RUN, "limits": {"memory": some}}),
            listed({**RUN, "limits": {"memory": memory}}),
            NO_MEMORY,
        )
        for memory, some in ((0, 1), ("0", "10"), ("0.00Gi", "0.05Gi"), (-1, 20), ("0m", "1m"))
    ),
    (
        "an entry's key that is none",
        listed(FULL),
        listed({**RUN, "verification": {"publicKeys": ["x"]}}),
        IS_PEM,
    ),
)
RULES = [
    pytest.param("ModelDeployment", good, bad, says, id=name) for name, good, bad, says in CASES
]
# What the schema says of a list, without a rule.
WRONG = [
    pytest.param("ModelDeployment", listed(*models), says, id=name)
    for name, models, says in (
        ("a name twice", (RUN, RUN), "spec.models[1]: Duplicate value"),
        ("no models", (), "spec.models: Invalid value"),
        ("too many models", (*MOST, RUN), "spec.models: Too many: 33"),
        ("a name of two labels", ({**RUN, "name": "a.b"},), "spec.models[0].name: Invalid value"),
        ("too long a name", ({**RUN, "name": "a" * 64},), "spec.models[0].name: Too long"),
        ("no rows", ({**RUN, "limits": {"rows": 0}},), "spec.models[0].limits.rows"),
        ("too many rows", ({**RUN, "limits": {"rows": 1_000_001}},), "limits.rows"),
        ("in flight", ({**RUN, "limits": {"inFlight": 10_001}},), "limits.inFlight"),
        ("memory", ({**RUN, "limits": {"memory": "1 GB"}},), "limits.memory: Invalid value"),
        ("a container", ({**RUN, "container": {}},), "spec.models[0].container"),
    )
]
