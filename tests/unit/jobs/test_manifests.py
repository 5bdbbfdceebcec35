"""What is in a runner Job."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, RUNNER

from tidemill.api.v1alpha1.meta import Template
from tidemill.children.naming import child_name
from tidemill.jobs.manifests import RunnerJob, job_manifest, secret_values
from tidemill.kube.apply import stamp

PARENT = {"metadata": {"name": "p" * 253, "namespace": NAMESPACE, "uid": "u1"}}
NAME = child_name("TrainingRun", "p" * 253, "u1")


def made(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": "TrainingRun",
        "name": NAME,
        "verb": "train",
        "image": RUNNER,
        "template": None,
        "deadline_seconds": 3600,
        "annotations": {"tidemill.dev/spec-hash": "h"},
    }
    return job_manifest(PARENT, RunnerJob(**{**fields, **changes}))


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def test_the_pod_is_restricted_and_has_no_api_token() -> None:
    spec = pod(made())
    [container] = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    writable = {v["name"] for v in spec["volumes"] if "emptyDir" in v}
    assert writable == {"scratch", "tmp"}
    assert all("sizeLimit" in v["emptyDir"] for v in spec["volumes"] if "emptyDir" in v)


def test_the_image_is_named_by_digest_and_the_verb_is_the_argument() -> None:
    [container] = pod(made())["containers"]
    assert container["image"] == RUNNER
    assert container["args"] == ["train"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_nothing_secret_stands_in_the_job() -> None:
    text = json.dumps(made())
    assert "OPERATOR" not in text
    for volume in pod(made())["volumes"]:
        assert volume.keys() <= {"name", "secret", "emptyDir"}
    assert {v["secret"]["secretName"] for v in pod(made())["volumes"] if "secret" in v} == {NAME}


def test_the_job_ends_by_itself_and_is_tried_again_only_where_it_helps() -> None:
    spec = made()["spec"]
    assert (spec["parallelism"], spec["suspend"]) == (1, False)
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (3600, 2)
    assert pod(made())["restartPolicy"] == "Never"
    ignored, passing, final = spec["podFailurePolicy"]["rules"]
    assert ignored == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert (passing["action"], passing["onExitCodes"]["values"]) == ("Ignore", [30])
    assert final["action"] == "FailJob"
    assert set(final["onExitCodes"]["values"]) == {10, 20, 70, 137}
    assert 30 not in final["onExitCodes"]["values"]


def test_a_limit_counts_what_else_would_be_tried_until_the_deadline() -> None:
    spec = made(retry_limit=0)["spec"]
    disruption, passing, final = spec["podFailurePolicy"]["rules"]
    assert spec["backoffLimit"] == 0
    assert (disruption["action"], passing["action"]) == ("Count", "Count")
    assert final == made()["spec"]["podFailurePolicy"]["rules"][2]


def test_more_memory_is_set_aside_and_allowed() -> None:
    given = pod(made(memory="4Gi"))["containers"][0]["resources"]
    assert given == {"requests": {"cpu": "250m", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}


def test_several_pods_are_numbered_and_the_first_one_ends_the_job() -> None:
    alone, several = made()["spec"], made(workers=3)["spec"]
    [runner] = several.pop("template")["spec"]["containers"]
    [single] = alone.pop("template")["spec"]["containers"]
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    found = {"name": "TIDEMILL_POD_IP", "valueFrom": address}
    assert runner["env"] == [*single["env"], found]
    shared = {k: v for k, v in several.items() if alone.get(k) != v}
    assert shared == {
        "parallelism": 3,
        "completions": 3,
        "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }
    assert several.keys() - alone.keys() == shared.keys() - {"parallelism"}


def test_what_was_decided_is_noted_where_it_is_read() -> None:
    manifest = made()
    notes = {"tidemill.dev/spec-hash": "h"}
    assert manifest["spec"]["template"]["metadata"]["annotations"] == notes
    assert manifest["metadata"]["annotations"] == notes
    assert manifest["spec"]["template"]["metadata"]["labels"] == manifest["metadata"]["labels"]


@pytest.mark.parametrize("secret", [None, "keys"], ids=["anonymous", "with keys"])
def test_the_sources_keys_are_mounted_where_there_are_any(secret: str | None) -> None:
    spec = pod(made(source_secret=secret))
    mounted = {m["name"]: m for m in spec["containers"][0]["volumeMounts"]}
    assert ("source" in mounted) is (secret is not None)
    if secret:
        [volume] = [v for v in spec["volumes"] if v["name"] == "source"]
        assert volume["secret"]["secretName"] == "keys"
        assert mounted["source"]["readOnly"] is True
    assert {v["name"] for v in spec["volumes"]} == mounted.keys()


@pytest.mark.parametrize("claim", [None, "deliveries"], ids=["none", "a claim"])
def test_the_sources_claim_is_mounted_to_read(claim: str | None) -> None:
    spec = pod(made(source_claim=claim, source_secret="keys"))
    claims = [v for v in spec["volumes"] if "persistentVolumeClaim" in v]
    mounts = spec["containers"][0]["volumeMounts"]
    assert len({v["name"] for v in spec["volumes"]}) == len(spec["volumes"]) == len(mounts)
    assert len({m["mountPath"] for m in mounts}) == len(mounts)
    assert len(claims) == (1 if claim else 0)
    for volume in claims:
        assert volume["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
        [mount] = [m for m in mounts if m["name"] == volume["name"]]
        assert (mount["mountPath"], mount["readOnly"]) == ("/volume", True)


def test_the_template_is_honoured() -> None:
    template = Template.model_validate(
        {
            "resources": {"requests": {"cpu": 2}, "limits": {"memory": "4Gi"}},
            "nodeSelector": {"disk": "fast"},
        }
    )
    spec = pod(made(template=template))
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"memory": "4Gi"},
    }


@pytest.mark.parametrize(
    ("verb", "memory"), [("ingest", "1Gi"), ("train", "2Gi")], ids=["ingest", "train"]
)
def test_each_verb_has_its_defaults(verb: str, memory: str) -> None:
    [container] = pod(made(verb=verb))["containers"]
    assert container["resources"]["limits"] == {"memory": memory}


def test_the_name_fits_into_a_label() -> None:
    assert len(made()["metadata"]["name"]) <= 63


def test_the_same_job_is_the_same_manifest() -> None:
    assert stamp(made()) == stamp(made())
    assert stamp(made()) != stamp(made(deadline_seconds=1))


def test_the_input_is_a_document_and_a_token() -> None:
    values = secret_values({"verb": "train", "b": 1}, "token")
    assert json.loads(values["input.json"]) == {"verb": "train", "b": 1}
    assert values["progress-token"] == "token"
    assert base64.b64encode(values["input.json"].encode())
