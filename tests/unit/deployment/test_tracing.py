"""What a ModelDeployment's pods are told of a collector of traces."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.children.world import NAMESPACE, SERVER
from tests.unit.deployment.scene import package

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.deployment.manifests import deployment_manifest, revision_of
from tidemill.deployment.observed import Target
from tidemill_server.settings import Settings, Tracing

TARGET = Target(**package("a"))
ENDPOINT = "http://collector.observability:4318"
SEEN = {"endpoint": ENDPOINT}
NETWORKS = ("10.0.0.0/8", "fd12::/16")
VARIABLES = ("TIDEMILL_TRACES_", "TIDEMILL_HTTP_")


def spec(traces: dict[str, Any] | None) -> ModelDeploymentSpec:
    asked = {"traces": traces} if traces else {}
    return ModelDeploymentSpec.model_validate({"model": package("a"), **asked})


def template(traces: dict[str, Any] | None, networks: tuple[str, ...] = ()) -> dict[str, Any]:
    parent = {"metadata": {"name": "m", "namespace": NAMESPACE, "uid": "u1"}}
    manifest = deployment_manifest(parent, spec(traces), TARGET, SERVER, networks)
    found: dict[str, Any] = manifest["spec"]["template"]
    return found


def environment(found: dict[str, Any]) -> dict[str, str]:
    [container] = found["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def told(found: dict[str, Any]) -> dict[str, str]:
    variables = environment(found)
    return {name: value for name, value in variables.items() if name.startswith(VARIABLES)}


def test_without_traces_nothing_is_told_and_nothing_outside_is_reached() -> None:
    found = template(None, NETWORKS)
    assert told(found) == {}
    assert "tidemill.dev/egress" not in found["metadata"]["labels"]


def test_the_server_is_told_where_to_send() -> None:
    assert told(template(SEEN)) == {"TIDEMILL_TRACES_ENDPOINT": ENDPOINT}
    assert told(template({**SEEN, "ratio": "0.5"}, NETWORKS)) == {
        "TIDEMILL_TRACES_ENDPOINT": ENDPOINT,
        "TIDEMILL_TRACES_RATIO": "0.5",
        "TIDEMILL_HTTP_ALLOWED_NETWORKS": "10.0.0.0/8,fd12::/16",
    }


def test_who_sends_traces_reaches_outside() -> None:
    assert template(SEEN)["metadata"]["labels"]["tidemill.dev/egress"] == "outside"


@pytest.mark.parametrize(
    ("traces", "expected"),
    [
        (SEEN, Tracing(ENDPOINT, "collector.observability", 4318)),
        (
            {"endpoint": "https://[2001:db8::7]/otlp/", "ratio": ".25"},
            Tracing("https://[2001:db8::7]/otlp/", "2001:db8::7", 443, "/otlp", True, 0.25),
        ),
        ({**SEEN, "ratio": "0"}, Tracing(ENDPOINT, "collector.observability", 4318, ratio=0.0)),
        ({**SEEN, "ratio": "1"}, Tracing(ENDPOINT, "collector.observability", 4318, ratio=1.0)),
    ],
)
def test_the_server_reads_what_it_is_told(traces: dict[str, Any], expected: Tracing) -> None:
    assert Settings.from_env(environment(template(traces))).traces == expected


@pytest.mark.parametrize(
    ("traces", "other"),
    [
        (None, SEEN),
        (SEEN, {"endpoint": "https://collector.observability:4318"}),
        (SEEN, {**SEEN, "ratio": "0.02"}),
    ],
)
def test_other_traces_are_another_revision(traces: Any, other: Any) -> None:
    assert len({revision_of(TARGET, SERVER, spec(one)) for one in (traces, other)}) == 2


def test_a_default_that_is_written_out_is_the_same_revision() -> None:
    written = {**SEEN, "ratio": "0.01"}
    assert len({revision_of(TARGET, SERVER, spec(one)) for one in (SEEN, written)}) == 1


def test_no_traces_are_the_revision_that_there_was() -> None:
    # As it was before there were traces: a new operator moves no traffic.
    assert revision_of(TARGET, SERVER, spec(None)) == "b4f4b90ab4"


@pytest.mark.parametrize(
    "traces",
    [
        *({"endpoint": one} for one in ("", "collector:4318", "grpc://collector:4317", "http://")),
        *({"endpoint": one} for one in ("http://ann:hush@collector", "http://collector/?key=1")),
        *({"endpoint": one} for one in ("http://collector:123456", f"http://{'c' * 600}")),
        *({**SEEN, "ratio": one} for one in ("1.5", "-0.1", "2", "0.0000001", "1%", "", 0.1)),
        {"ratio": "0.1"},
        {**SEEN, "headers": {}},
    ],
    ids=str,
)
def test_traces_that_cannot_be_are_refused(traces: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(traces)
